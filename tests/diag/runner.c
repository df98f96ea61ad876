/* Compiles a .ldsl file that is wrong and compares what the compiler says with what the file expects.
 *
 *     let x = y;            // error: unknown name 'y'
 *     // error@-1: text     the same for a diagnostic one line above (@+2: two below)
 *     // error[E0200]: text pins the code too
 *
 * Also `warning` and `remark`. The text is part of the message. Every error and warning must be
 * expected and every expectation met; remarks count when one is expected. A sibling FILE.expect
 * pins the whole printed form; UPDATE=1 in the environment rewrites it. */
#include <ldsl/compile.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { max_entries = 512 };

/* A diagnostic expected, or one reported. */
struct entry {
    enum ldsl_severity severity;
    uint32_t line, code; /* code 0: any */
    char text[256];
    bool matched;
};

struct run {
    const char *name; /* of the file, without folders */
    struct entry expected[max_entries], reported[max_entries];
    size_t expected_count, reported_count;
    char *printed;
    size_t printed_length;
};

static const char *const severity_names[] = {"note", "remark", "warning", "error"};

static char *read_text(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *text = NULL;
    if (fseek(file, 0, SEEK_END) == 0) {
        long size = ftell(file);
        rewind(file);
        text = size >= 0 ? malloc((size_t)size + 1) : NULL;
        *length = text ? fread(text, 1, (size_t)size, file) : 0;
    }
    fclose(file);
    if (text)
        text[*length] = '\0';
    return text;
}

/* ---- what the file expects ------------------------------------------------------------------ */

/* "[E0100]" and "@-1" after the severity, then ':'; NULL if it is something else. */
static const char *read_details(const char *p, struct entry *e)
{
    int offset = 0, used = 0;
    if (sscanf(p, "[E%4u]%n", &e->code, &used) == 1)
        p += used;
    used = 0;
    if (sscanf(p, "@%d%n", &offset, &used) == 1)
        p += used;
    e->line = (uint32_t)((int)e->line + offset);
    return *p == ':' ? p + 1 : NULL;
}

/* Takes the expectations of one line: "// error: a // warning: b". */
static bool read_line(struct run *r, const char *line, uint32_t number)
{
    for (const char *p = strstr(line, "// "); p; p = strstr(p, "// ")) {
        p += 3;
        for (unsigned severity = LDSL_REMARK; severity <= LDSL_ERROR; severity++) {
            size_t length = strlen(severity_names[severity]);
            struct entry e = {.severity = (enum ldsl_severity)severity, .line = number};
            const char *text = strncmp(p, severity_names[severity], length) == 0
                                   ? read_details(p + length, &e)
                                   : NULL;
            if (!text)
                continue;
            if (r->expected_count == max_entries)
                return false;
            text += strspn(text, " ");
            const char *end = strstr(text, " // ");
            size_t size = end ? (size_t)(end - text) : strlen(text);
            while (size && strchr(" \r", text[size - 1]))
                size--;
            snprintf(e.text, sizeof e.text, "%.*s", (int)size, text);
            r->expected[r->expected_count++] = e;
        }
    }
    return true;
}

static bool read_expectations(struct run *r, char *text)
{
    uint32_t number = 1;
    for (char *line = text, *end; *line; line = end, number++) {
        end = strchr(line, '\n');
        end = end ? end : line + strlen(line);
        char last = *end;
        *end = '\0';
        bool ok = read_line(r, line, number);
        *end = last;
        end += last != '\0';
        if (!ok)
            return false;
    }
    return r->expected_count > 0;
}

/* ---- what the compiler says ----------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The printed form names files without folders, so that it is the same everywhere. */
static void print_diag(struct run *r, struct ldsl_diag d)
{
    struct ldsl_diag notes[16];
    char text[16384];
    uint32_t count = d.note_count < 16 ? d.note_count : 16;
    for (uint32_t i = 0; i < count; i++) {
        notes[i] = d.notes[i];
        notes[i].place.path = notes[i].place.path ? base_name(notes[i].place.path) : NULL;
    }
    d.notes = notes;
    d.note_count = count;
    d.place.path = d.place.path ? base_name(d.place.path) : NULL;
    ldsl_diag_format(&d, LDSL_DIAG_PLAIN, text, sizeof text);
    size_t length = strlen(text);
    char *grown = realloc(r->printed, r->printed_length + length + 1);
    if (!grown)
        return;
    memcpy(grown + r->printed_length, text, length + 1);
    r->printed = grown;
    r->printed_length += length;
}

static void take_diag(void *user, const struct ldsl_diag *diag)
{
    struct run *r = user;
    if (r->reported_count == max_entries)
        return;
    struct entry *e = &r->reported[r->reported_count++];
    bool here = diag->place.path && strcmp(base_name(diag->place.path), r->name) == 0;
    *e = (struct entry){
        .severity = diag->severity, .line = here ? diag->place.line : 0, .code = diag->code};
    snprintf(e->text, sizeof e->text, "%s", diag->text);
    print_diag(r, *diag);
}

static bool expects_remarks(const struct run *r)
{
    for (size_t i = 0; i < r->expected_count; i++)
        if (r->expected[i].severity == LDSL_REMARK)
            return true;
    return false;
}

static void compile(struct run *r, const char *path, const char *text, size_t length)
{
    ldsl_source source = {path, text, length};
    ldsl_options options = LDSL_OPTIONS_INIT;
    options.emit = LDSL_EMIT_CHECK;
    options.remarks = expects_remarks(r);
    struct ldsl_sink sink = {take_diag, r};
    ldsl_artifact *artifact = NULL;
    ldsl_compile(&artifact, &source, &options, &sink);
    ldsl_artifact_free(artifact);
}

/* ---- the comparison ------------------------------------------------------------------------- */

static bool meets(const struct entry *expected, const struct entry *reported)
{
    return !reported->matched && expected->severity == reported->severity &&
           expected->line == reported->line &&
           (!expected->code || expected->code == reported->code) &&
           strstr(reported->text, expected->text);
}

static void say(const char *what, const struct run *r, const struct entry *e)
{
    printf("%s:%u: %s %s", r->name, e->line, what, severity_names[e->severity]);
    if (e->code)
        printf("[E%04u]", e->code);
    printf(": %s\n", e->text);
}

static bool compare_entries(struct run *r)
{
    bool same = true;
    for (size_t i = 0; i < r->expected_count; i++) {
        struct entry *e = &r->expected[i];
        for (size_t k = 0; k < r->reported_count && !e->matched; k++)
            if (meets(e, &r->reported[k]))
                e->matched = r->reported[k].matched = true;
        if (!e->matched) {
            say("missing", r, e);
            same = false;
        }
    }
    for (size_t k = 0; k < r->reported_count; k++) {
        const struct entry *e = &r->reported[k];
        if (!e->matched && e->severity != LDSL_REMARK) {
            say("unexpected", r, e);
            same = false;
        }
    }
    return same;
}

/* Against FILE.expect, if there is one. */
static bool compare_printed(const struct run *r, const char *path)
{
    char expect_path[4096];
    size_t length = 0, stem = strlen(path) - strlen(".ldsl");
    snprintf(expect_path, sizeof expect_path, "%.*s.expect", (int)stem, path);
    char *wanted = read_text(expect_path, &length);
    if (!wanted)
        return true;
    const char *printed = r->printed ? r->printed : "", *update = getenv("UPDATE");
    bool same = strcmp(wanted, printed) == 0;
    free(wanted);
    if (same)
        return true;
    if (!update || strcmp(update, "1") != 0) {
        printf("%s: the printed form differs from its .expect file (UPDATE=1 rewrites it):\n%s",
               r->name, printed);
        return false;
    }
    FILE *file = fopen(expect_path, "wb");
    bool written = file && fputs(printed, file) >= 0;
    return (file ? fclose(file) == 0 : false) && written;
}

int main(int argc, char **argv)
{
    static struct run r;
    size_t length = 0;
    char *text = argc == 2 ? read_text(argv[1], &length) : NULL;
    if (!text) {
        fprintf(stderr, "usage: diag_runner FILE.ldsl\n");
        return 2;
    }
    r.name = base_name(argv[1]);
    bool passed = read_expectations(&r, text);
    if (!passed) {
        printf("%s: expects nothing, or too much\n", r.name);
    } else {
        compile(&r, argv[1], text, length);
        passed = compare_entries(&r);
        passed = compare_printed(&r, argv[1]) && passed;
    }
    free(r.printed);
    free(text);
    return passed ? 0 : 1;
}
