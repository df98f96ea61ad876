/* What a program runs on: made once for many programs. */
#include "simt/machine.h"

#include <stdlib.h>

static bool make_block(struct machine *m, struct block *b, uint32_t rank)
{
    b->rank = rank;
    b->threads = calloc(m->block_threads, sizeof *b->threads);
    b->shared = malloc(m->shared_bytes + 1);
    b->poison = malloc(m->shared_bytes + 1);
    b->touches = calloc(m->shared_bytes + 1, sizeof *b->touches);
    if (!b->threads || !b->shared || !b->poison || !b->touches)
        return false;
    for (uint32_t i = 0; i < m->block_threads; i++) {
        b->threads[i].m = m;
        b->threads[i].block = b;
    }
    return true;
}

struct machine *machine_create(struct simt_launch *launch)
{
    const struct ldsl_kernel_info *info = &launch->kernel->info;
    struct machine *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->launch = launch;
    m->cluster = info->cluster;
    m->block_threads = info->block_threads;
    m->shared_bytes = info->shared_bytes;
    m->blocks = calloc(m->cluster, sizeof *m->blocks);
    bool fine = m->blocks != NULL;
    for (uint32_t i = 0; fine && i < m->cluster; i++)
        fine = make_block(m, &m->blocks[i], i);
    if (fine)
        return m;
    machine_destroy(m);
    return NULL;
}

static void free_block(struct machine *m, struct block *b)
{
    for (uint32_t i = 0; b->threads && i < m->block_threads; i++)
        free(b->threads[i].copies);
    free(b->threads);
    free(b->shared);
    free(b->poison);
    free(b->touches);
}

void machine_destroy(struct machine *m)
{
    if (!m)
        return;
    for (uint32_t i = 0; m->blocks && i < m->cluster; i++)
        free_block(m, &m->blocks[i]);
    free(m->blocks);
    free(m->frames);
    free(m);
}
