/* The search: what to try next.
 *
 * A point is one choice for each tunable; choice `value_count` means that it is not set. Every point
 * is asked for once. */
#include "schedule.h"

#include <ldsl/tune.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WHOLE = 48, /* a space with no more points is walked whole; so is the plane of the first two */
    MAX_TURNS = 4,
    MAX_POINTS = 1 << 20
};

/* A candidate must be faster by this factor than the one asked for before it. */
static const double noise = 0.99;

struct point {
    uint16_t *choice; /* one per tunable */
    double time;
    bool told;
};

struct ldsl_search {
    ldsl_tunable *tunables; /* copies; the values are the caller's */
    uint32_t count;
    struct point *points;
    uint32_t point_count, point_capacity;
    uint32_t round;          /* the first point of the round */
    uint32_t best;           /* UINT32_MAX: nothing works yet */
    uint32_t next;           /* the tunable whose values come next; count: a turn is over */
    uint32_t turns;          /* completed */
    uint32_t turn_best;      /* the best point when the turn began */
    char *texts, *best_text; /* of the round; of the best */
    size_t *text_at;
};

static uint32_t choices_of(const ldsl_tunable *t)
{
    return t->value_count + !t->is_listed;
}

/* ---- points ------------------------------------------------------------------------------------- */

static bool is_known(const struct ldsl_search *s, const uint16_t *choice)
{
    for (uint32_t i = 0; i < s->point_count; i++)
        if (memcmp(s->points[i].choice, choice, s->count * sizeof *choice) == 0)
            return true;
    return false;
}

/* A copy of the choices, unless they were asked for before. False: out of memory. */
static bool ask(struct ldsl_search *s, const uint16_t *choice)
{
    if (is_known(s, choice) || s->point_count == MAX_POINTS)
        return true;
    if (s->point_count == s->point_capacity) {
        uint32_t capacity = s->point_capacity ? s->point_capacity * 2 : 64;
        struct point *points = realloc(s->points, capacity * sizeof *points);
        if (!points)
            return false;
        s->points = points;
        s->point_capacity = capacity;
    }
    struct point *p = &s->points[s->point_count];
    *p = (struct point){.choice = malloc((s->count + 1) * sizeof *choice), .time = INFINITY};
    if (!p->choice)
        return false;
    memcpy(p->choice, choice, s->count * sizeof *choice);
    s->point_count++;
    return true;
}

/* Every choice for the tunables first .. last, the others as in `base`: those that differ from it in
 * fewer places come first, so that what a budget cuts off is what is furthest from what is known. */
static bool ask_all(struct ldsl_search *s, const uint16_t *base, uint32_t first, uint32_t last)
{
    uint16_t *choice = malloc((s->count + 1) * sizeof *choice);
    bool good = choice != NULL;
    for (uint32_t distance = 0; good && distance <= last - first; distance++) {
        memcpy(choice, base, s->count * sizeof *choice);
        for (uint32_t i = first; i < last; i++)
            choice[i] = 0;
        for (;;) {
            uint32_t differ = 0, i = last;
            for (uint32_t k = first; k < last; k++)
                differ += choice[k] != base[k];
            if (differ == distance && !(good = ask(s, choice)))
                break;
            while (i > first && ++choice[i - 1] == choices_of(&s->tunables[i - 1]))
                choice[--i] = 0;
            if (i == first)
                break;
        }
    }
    free(choice);
    return good;
}

/* How many points the tunables first .. last span; WHOLE + 1: too many. */
static uint32_t span(const struct ldsl_search *s, uint32_t first, uint32_t last)
{
    uint32_t points = 1;
    for (uint32_t i = first; i < last && points <= WHOLE; i++)
        points =
            choices_of(&s->tunables[i]) > WHOLE ? WHOLE + 1 : points * choices_of(&s->tunables[i]);
    return points;
}

/* ---- settings as text --------------------------------------------------------------------------- */

static void print_point(const struct ldsl_search *s, const struct point *p, struct rt_text *out)
{
    bool first = true;
    for (uint32_t i = 0; i < s->count; i++) {
        const ldsl_tunable *t = &s->tunables[i];
        if (p->choice[i] == t->value_count)
            continue;
        rt_text_add(out, "%s%s=%lld", first ? "" : ",", t->name,
                    (long long)t->values[p->choice[i]]);
        first = false;
    }
    rt_text_add(out, "%s", "");
}

/* The texts of the round's points, one after the other. False: out of memory. */
static bool print_round(struct ldsl_search *s)
{
    uint32_t count = s->point_count - s->round;
    struct rt_text text = {0};
    size_t *at = realloc(s->text_at, (count + 1) * sizeof *at);
    if (!at)
        return false;
    s->text_at = at;
    for (uint32_t i = 0; i < count; i++) {
        at[i] = text.length;
        print_point(s, &s->points[s->round + i], &text);
        rt_text_add(&text, "%c", '\n');
        if (!text.failed)
            text.data[text.length - 1] = '\0';
    }
    free(s->texts);
    s->texts = text.data;
    return !text.failed;
}

/* ---- rounds ------------------------------------------------------------------------------------- */

/* The place of the current value, or of "not set". */
static uint16_t current_choice(const ldsl_tunable *t)
{
    for (uint32_t i = 0; t->is_set && i < t->value_count; i++)
        if (t->values[i] == t->current)
            return (uint16_t)i;
    return (uint16_t)(t->is_listed ? 0 : t->value_count);
}

static bool ask_start(struct ldsl_search *s)
{
    uint16_t *choice = malloc((s->count + 1) * sizeof *choice);
    for (uint32_t i = 0; choice && i < s->count; i++)
        choice[i] = current_choice(&s->tunables[i]);
    bool good = choice && ask(s, choice);
    free(choice);
    return good;
}

/* The next round's points; none: the search is over. */
static bool ask_more(struct ldsl_search *s)
{
    const uint16_t *base = s->points[s->best == UINT32_MAX ? 0 : s->best].choice;
    if (span(s, 0, s->count) <= WHOLE)
        return ask_all(s, base, 0, s->count);
    if (s->point_count == 1)
        s->turn_best = s->best;
    while (s->point_count == s->round) {
        if (s->next == s->count) {
            if (s->turn_best == s->best || ++s->turns == MAX_TURNS)
                return true;
            s->next = 0;
            s->turn_best = s->best;
        }
        /* Tile size and warps go together: the kernel lists them first. */
        uint32_t last = s->next + 1;
        if (s->next == 0 && s->count > 1 && span(s, 0, 2) <= WHOLE)
            last = 2;
        if (!ask_all(s, base, s->next, last))
            return false;
        s->next = last;
    }
    return true;
}

uint32_t ldsl_search_round(ldsl_search *s)
{
    if (!s)
        return 0;
    s->round = s->point_count;
    bool good = s->point_count ? ask_more(s) : ask_start(s);
    return good && print_round(s) ? s->point_count - s->round : 0;
}

const char *ldsl_search_settings(const ldsl_search *s, uint32_t i)
{
    return s && i < s->point_count - s->round ? s->texts + s->text_at[i] : NULL;
}

/* The best of what was told, as if it had been told in the order of asking. */
static uint32_t find_best(const struct ldsl_search *s)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < s->point_count; i++) {
        const struct point *p = &s->points[i];
        if (p->told && p->time < INFINITY &&
            (best == UINT32_MAX || p->time < s->points[best].time * noise))
            best = i;
    }
    return best;
}

void ldsl_search_tell(ldsl_search *s, uint32_t i, double time)
{
    if (!s || i >= s->point_count - s->round)
        return;
    struct point *p = &s->points[s->round + i];
    p->told = true;
    p->time = time > 0 ? time : INFINITY;
    s->best = find_best(s);
}

const char *ldsl_search_best(ldsl_search *s, double *time)
{
    struct rt_text text = {0};
    if (time)
        *time = !s || s->best == UINT32_MAX ? INFINITY : s->points[s->best].time;
    if (!s || !s->point_count)
        return "";
    print_point(s, &s->points[s->best == UINT32_MAX ? 0 : s->best], &text);
    free(s->best_text);
    s->best_text = text.data;
    return text.failed ? "" : text.data;
}

/* ---- life --------------------------------------------------------------------------------------- */

enum ldsl_status ldsl_search_create(ldsl_search **out, const ldsl_tunable *tunables, uint32_t count)
{
    if (!out || (!tunables && count))
        return rt_error(NULL, LDSL_ARGUMENT, "a search needs tunables and a place to be put");
    for (uint32_t i = 0; i < count; i++)
        if (!tunables[i].name || !tunables[i].value_count || tunables[i].value_count >= UINT16_MAX)
            return rt_error(NULL, LDSL_ARGUMENT, "tunable %u has no choices, or too many", i);
    struct ldsl_search *s = *out = calloc(1, sizeof *s);
    if (!s)
        return rt_nomem(NULL);
    s->best = s->turn_best = UINT32_MAX;
    s->count = count;
    s->tunables = calloc(count + 1, sizeof *s->tunables);
    if (!s->tunables) {
        ldsl_search_destroy(s);
        *out = NULL;
        return rt_nomem(NULL);
    }
    if (count)
        memcpy(s->tunables, tunables, count * sizeof *tunables);
    return LDSL_OK;
}

void ldsl_search_destroy(ldsl_search *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->point_count; i++)
        free(s->points[i].choice);
    free(s->points);
    free(s->tunables);
    free(s->texts);
    free(s->text_at);
    free(s->best_text);
    free(s);
}
