/* How many clusters run at once. A cluster lies in one group of multiprocessors, groups are of
 * different sizes, and boards of one model differ in them: only the driver knows. */
#include "cuda/state.h"

static const char nothing[] = ".version 7.8\n"
                              ".target sm_90\n"
                              ".address_size 64\n"
                              ".visible .entry nothing() { ret; }\n";

/* Of blocks that take all shared memory of a multiprocessor. */
static int clusters_of(struct cuda_device *d, cu_function function, unsigned blocks)
{
    const struct cu_launch_attribute cluster = {
        .id = CU_LAUNCH_CLUSTER_DIMENSION, .value.cluster = {blocks, 1, 1}
    };
    const struct cu_launch_config config = {
        .grid_x = blocks,
        .grid_y = 1,
        .grid_z = 1,
        .block_x = (unsigned)d->lanes,
        .block_y = 1,
        .block_z = 1,
        .shared_bytes = (unsigned)d->smem,
        .attributes = &cluster,
        .attribute_count = 1,
    };
    int clusters = 0;
    cu_result result = d->api.cuOccupancyMaxActiveClusters(&clusters, function, &config);
    return result == CU_SUCCESS ? clusters : d->sm_count / (int)blocks;
}

/* Where the driver will not say, as many as fit if groups did not matter. */
void cuda_count_clusters(struct cuda_device *d)
{
    cu_module module = NULL;
    cu_function function = NULL;
    for (int i = 0; d->cc >= 90 && i < RT_CLUSTER_SIZES; i++)
        d->clusters[i] = d->sm_count >> (i + 1);
    if (d->cc < 90 || d->api.cuModuleLoadDataEx(&module, nothing, 0, NULL, NULL) != CU_SUCCESS)
        return;
    if (d->api.cuModuleGetFunction(&function, module, "nothing") == CU_SUCCESS &&
        d->api.cuFuncSetAttribute(function, CU_FUNC_MAX_DYNAMIC_SHARED_SIZE_BYTES, d->smem) ==
            CU_SUCCESS)
        for (int i = 0; i < RT_CLUSTER_SIZES; i++)
            d->clusters[i] = clusters_of(d, function, 2u << i);
    (void)d->api.cuModuleUnload(module);
}
