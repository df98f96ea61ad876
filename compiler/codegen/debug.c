/* Line tables: each op's code carries the .ldsl line it came from, so that debuggers step there and
 * profilers count there. */
#include "codegen/internal.h"

#include <string.h>

/* "a/b.ldsl" as folder and name. */
static void split_path(const char *path, size_t *folder, const char **name)
{
    const char *slash = strrchr(path, '/');
    *folder = slash ? (size_t)(slash - path) : 0;
    *name = slash ? slash + 1 : path;
}

static LLVMMetadataRef make_file(struct gen *g, const struct source *src)
{
    const char *path = src ? src->path : "unknown";
    size_t folder;
    const char *name;
    split_path(path, &folder, &name);
    return LLVMDIBuilderCreateFile(g->llvm->debug, name, strlen(name), folder ? path : ".",
                                   folder ? folder : 1);
}

static void add_flag(struct gen *g, const char *name, unsigned value)
{
    LLVMAddModuleFlag(g->module, LLVMModuleFlagBehaviorWarning, name, strlen(name),
                      LLVMValueAsMetadata(gen_int(g, g->t_i32, value)));
}

/* For PTX: lines only. Anything more and the driver's compiler is told to leave code unoptimised.
 * LLVM's C interface has no name for it. */
enum { LINES_IN_TEXT = 3 };

void gen_debug_begin(struct gen *g)
{
    static const char producer[] = "ldsl";
    if (!g->options->line_info)
        return;
    struct source *src = source_get(g->s, g->f->at.file);
    uint32_t line = 0, column;
    if (src)
        source_locate(g->s, g->f->at, &line, &column);
    LLVMDIBuilderRef d = g->llvm->debug = LLVMCreateDIBuilder(g->module);
    LLVMMetadataRef file = make_file(g, src);
    LLVMDWARFEmissionKind kind =
        gen_is_ptx(g) ? (LLVMDWARFEmissionKind)LINES_IN_TEXT : LLVMDWARFEmissionFull;
    LLVMDIBuilderCreateCompileUnit(d, LLVMDWARFSourceLanguageC99, file, producer, 4, true, "", 0, 0,
                                   "", 0, kind, 0, false, false, "", 0, "", 0);
    LLVMMetadataRef type = LLVMDIBuilderCreateSubroutineType(d, file, NULL, 0, LLVMDIFlagZero);
    size_t length = strlen(g->f->name);
    g->debug_scope =
        LLVMDIBuilderCreateFunction(d, file, g->f->name, length, g->f->name, length, file, line,
                                    type, false, true, line, LLVMDIFlagZero, true);
    LLVMSetSubprogram(g->entry, g->debug_scope);
    add_flag(g, "Debug Info Version", LLVMDebugMetadataVersion());
    add_flag(g, "Dwarf Version", 4);
    gen_at(g, g->f->at);
}

void gen_debug_end(struct gen *g)
{
    if (g->llvm->debug)
        LLVMDIBuilderFinalize(g->llvm->debug);
}

/* The code that follows comes from there. Inlined functions and imports may lie in other files. */
void gen_at(struct gen *g, struct span at)
{
    if (!g->debug_scope)
        return;
    struct source *src = source_get(g->s, at.file);
    uint32_t line = 0, column = 0;
    LLVMMetadataRef scope = g->debug_scope;
    if (src)
        source_locate(g->s, at, &line, &column);
    if (src && at.file != g->f->at.file)
        scope = LLVMDIBuilderCreateLexicalBlockFile(g->llvm->debug, scope, make_file(g, src), 0);
    LLVMMetadataRef where = LLVMDIBuilderCreateDebugLocation(g->context, line, column, scope, NULL);
    LLVMSetCurrentDebugLocation2(g->b, where);
}
