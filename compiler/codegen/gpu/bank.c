/* Tiles in shared memory: pads such that the lanes of an access meet different banks. Places add up, so
 * that all accesses of a side meet as many banks as its first one: it is tried with every pad. */
#include "codegen/gpu/convert.h"

enum {
    LANES = 32,
    BANKS = 32,
    BANK_BYTES = 4,
    MOST_BYTES = 16,  /* of one access */
    MOST_PAD = 8 * 16 /* as many bytes as there are banks */
};

uint32_t gpu_place_along(const struct gpu_pitch *p, uint32_t coordinate)
{
    return coordinate * p->pitch + coordinate / p->every * p->pad;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static bool has(const struct gpu_conversion *c, uint32_t axis)
{
    return c->axes >> axis & 1;
}

/* ---- size -------------------------------------------------------------------------------------- */

/* All places are multiples of it. */
static uint32_t unit_of(const struct gpu_conversion *c)
{
    uint32_t bytes = (c->write > c->read ? c->write : c->read) * c->bytes;
    return bytes < BANK_BYTES ? BANK_BYTES : bytes;
}

static uint32_t round_up(uint64_t bytes, uint32_t unit)
{
    uint64_t rounded = (bytes + unit - 1) / unit * unit;
    return rounded > UINT32_MAX ? UINT32_MAX / unit * unit : (uint32_t)rounded;
}

/* The axes lie one in the other, the fast one innermost. */
static void stack(struct gpu_conversion *c)
{
    uint64_t bytes = c->bytes;
    for (uint32_t k = 0; k <= c->from->axis_count; k++) {
        uint32_t a = k ? k - 1 : c->fast;
        if (!has(c, a) || (k && a == c->fast))
            continue;
        struct gpu_pitch *p = &c->pitches[a];
        uint64_t last = c->from->axes[a].cover - 1;
        p->pitch = round_up(bytes, k ? unit_of(c) : 1);
        bytes = p->pitch + last * p->pitch + last / p->every * p->pad;
    }
    c->shared_bytes = round_up(bytes, MOST_BYTES);
}

/* ---- banks ------------------------------------------------------------------------------------- */

static uint32_t place_of_lane(const struct gpu_conversion *c, const struct gpu_layout *l,
                              uint32_t lane)
{
    uint32_t place = 0;
    for (uint32_t a = 0; a < l->axis_count; a++) {
        uint32_t at = 0;
        for (uint32_t i = 0; has(c, a) && i < l->axes[a].digit_count; i++) {
            const struct gpu_digit *d = &l->axes[a].digits[i];
            if (d->source == GPU_LANE)
                at += lane / d->divisor % d->count * d->stride;
        }
        if (has(c, a))
            place += gpu_place_along(&c->pitches[a], at);
    }
    return place;
}

/* Rounds that the banks need for lanes that go together: the most different words in one bank. */
static uint32_t rounds_of(const uint32_t *words, uint32_t count)
{
    uint32_t most = 0, met[BANKS] = {0};
    for (uint32_t i = 0; i < count; i++) {
        bool again = false;
        for (uint32_t k = 0; k < i; k++)
            again |= words[k] == words[i];
        uint32_t bank = words[i] % BANKS;
        met[bank] += !again;
        most = met[bank] > most ? met[bank] : most;
    }
    return most;
}

/* As many lanes go together as would fill the banks once. */
static uint32_t count_rounds(const struct gpu_conversion *c, const struct gpu_layout *l,
                             uint32_t elements)
{
    uint32_t bytes = elements * c->bytes, each = (bytes + BANK_BYTES - 1) / BANK_BYTES;
    uint32_t together = LANES / each, rounds = 0;
    for (uint32_t first = 0; first < LANES; first += together) {
        uint32_t words[LANES], count = 0;
        for (uint32_t lane = first; lane < first + together; lane++)
            for (uint32_t w = 0; w < each; w++)
                words[count++] = place_of_lane(c, l, lane) / BANK_BYTES + w;
        rounds += rounds_of(words, count);
    }
    return rounds;
}

/* What all accesses of a warp take. */
static uint64_t measure(struct gpu_conversion *c)
{
    stack(c);
    c->write_rounds = count_rounds(c, c->from, c->write);
    c->read_rounds = count_rounds(c, c->to, c->read);
    return (uint64_t)c->write_rounds * (gpu_view(c->from, c->axes).count / c->write) +
           (uint64_t)c->read_rounds * (gpu_view(c->to, c->axes).count / c->read);
}

/* ---- pads -------------------------------------------------------------------------------------- */

/* Does a coordinate / every go by digits: no digit's part straddles a multiple of it? */
static bool goes_by_digits(const struct gpu_axis_layout *x, uint32_t every)
{
    for (uint32_t i = 0; i < x->digit_count; i++) {
        uint64_t begin = x->digits[i].stride, end = begin * x->digits[i].count;
        bool above = begin % every == 0, below = every % end == 0;
        bool inside = every % begin == 0 && end % every == 0;
        if (!above && !below && !inside)
            return false;
    }
    return true;
}

static void pad_axis(struct gpu_conversion *c, uint32_t axis)
{
    struct gpu_pitch *p = &c->pitches[axis], best = *p;
    uint64_t best_rounds = measure(c);
    uint32_t best_bytes = c->shared_bytes;
    for (uint32_t every = 1; every < c->from->axes[axis].cover; every *= 2) {
        if (!goes_by_digits(&c->from->axes[axis], every) ||
            !goes_by_digits(&c->to->axes[axis], every))
            continue;
        for (uint32_t pad = unit_of(c); pad <= MOST_PAD; pad *= 2) {
            p->every = every;
            p->pad = pad;
            uint64_t rounds = measure(c);
            if (rounds > best_rounds || (rounds == best_rounds && c->shared_bytes >= best_bytes))
                continue;
            best = *p;
            best_rounds = rounds;
            best_bytes = c->shared_bytes;
        }
    }
    *p = best;
}

/* Neighbours along the fast axis that a thread of the layout has in its registers. */
static uint32_t width_in(const struct gpu_conversion *c, const struct gpu_layout *l)
{
    uint32_t width = least(l->axes[c->fast].vector, MOST_BYTES / c->bytes);
    return width ? width : 1;
}

void gpu_arrange(struct gpu_conversion *c)
{
    c->write = width_in(c, c->from);
    c->read = width_in(c, c->to);
    for (uint32_t a = 0; a < IR_MAX_AXIS; a++)
        c->pitches[a] = (struct gpu_pitch){.every = 1};
    for (uint32_t a = 0; a < c->from->axis_count; a++)
        if (has(c, a) && a != c->fast)
            pad_axis(c, a);
    measure(c);
}
