/* The grammar: one item's tokens to its tree.
 *
 * A run of the parser sees one item (split.c cuts the file), ended by END. After an error the
 * parser is handed one SYNC token, then tokens from where recover.c says it can go on; the `error`
 * rules below are the places it can go on from.
 *
 * Words that mean something in one place only (key, step, grid, ...) are names everywhere else:
 * see `name`. */
%require "3.8"
%define api.prefix {syntax_yy}
%define api.pure full
%define api.location.type {struct span}
%define parse.error custom
%define parse.lac full
%locations
%param {struct parse *p}
%expect 0

%code requires {
#include "syntax/internal.h"
}

%code {
#define YYMAXDEPTH         20000
#define YYMALLOC(bytes)    parse_alloc(p, bytes)
#define YYFREE(block)      ((void)(block))
/* From the first to the last symbol that is not empty. */
#define YYLLOC_DEFAULT(result, right, count)                                                       \
    do {                                                                                           \
        struct span all = {0};                                                                     \
        for (int i = 1; i <= (count); i++)                                                         \
            all = span_join(all, YYRHSLOC(right, i));                                              \
        (result) = all;                                                                            \
    } while (0)

/* Where the skeleton allocates without the parser's arguments in sight (its look-ahead stack, which
 * is never full in this grammar), there is no memory: the parse then ends as "nested too deeply". */
static struct parse *const p = NULL;

static int syntax_yylex(YYSTYPE *value, struct span *at, struct parse *p);
static void syntax_yyerror(struct span *at, struct parse *p, const char *text);

#define PUSH(list, ...) vec_push(p->arena, list, __VA_ARGS__)
#define BINARY(result, at, op, op_at, left, right)                                                 \
    ((result) = new_binary(p, at, AST_##op, op_at, left, right))

/* An entry of the group of defaults that is being read. */
static void add_default(struct parse *p, ast_settings settings, struct expr *own, struct span at)
{
    struct ast_default d = {settings, own, new_both(p, p->group, own), at};
    PUSH(&p->item->kernel.defaults, d);
}
}

%union {
    const char *text;
    uint64_t integer;
    double floating;
    struct ast_name name;
    ast_names names;
    struct expr *expr;
    ast_exprs exprs;
    struct ast_arg *arg;
    ast_args args;
    struct ast_sub sub;
    ast_subs subs;
    struct type_expr *type;
    ast_types types;
    struct ast_param *param;
    ast_params params;
    struct ast_generic *generic;
    ast_generics generics;
    struct stmt *stmt;
    ast_block block;
    struct ast_setting setting;
    ast_settings settings;
    struct ast_tune_value tune_value;
    ast_tune_values tune_values;
    bool flag;
}

%token <text>
    IMPORT "import" EXTERN "extern" CONST "const" ENUM "enum" STRUCT "struct" FN "fn"
    KERNEL "kernel" OP "op" LET "let" VAR "var" AXIS "axis" IN "in" SWEEP "sweep" FOR "for"
    WHILE "while" IF "if" ELSE "else" BREAK "break" CONTINUE "continue" RETURN "return"
    ASSERT "assert" ASSUME "assume" STATIC_ASSERT "static_assert"
    TENSOR "tensor" TILE "tile" PTR "ptr" HAS "has" TRUE_ "true" FALSE_ "false"
%token <text>
    AS "as" BENCH "bench" BOUND "bound" DEFAULT "default" GRAD "grad" GRID "grid" KEY "key"
    LAUNCH "launch" META "meta" MUT "mut" OUT "out" OVER "over" PARTS "parts" PIPELINE "pipeline"
    REF "ref" REQUIRE "require" SAMPLE "sample" SCRATCH "scratch" SPECIALIZE "specialize"
    STATIC "static" STEP "step" STRIDED "strided" TO "to" TUNE "tune" WHERE "where" WITH "with"
%token <text> NAME "a name" STRING "a string"
%token <integer> INT "an integer"
%token <floating> FLOAT "a number"
%token DOTDOT ".." ARROW "->" FATARROW "=>" ADD_SET "+=" SUB_SET "-=" MUL_SET "*=" DIV_SET "/="
    EQ "==" NE "!=" LE "<=" GE ">=" ANDAND "&&" OROR "||" SHL "<<" SHR ">>"
%token END 0 "the end"
/* Of the lexer, never handed to the parser as such: comments, and text that is no token. */
%token COMMENT DOC BAD
/* Of recovery: go on with the next statement or clause; with the item's clauses and body; not. */
%token SYNC SYNC_BODY SYNC_END

%type <text> word
%type <name> name opt_to
%type <names> names axes
%type <expr> expr primary callee opt_bound opt_pipeline
%type <exprs> exprs opt_exprs dims opt_grid choices
%type <arg> arg over
%type <args> args arglist
%type <sub> sub
%type <subs> subs
%type <type> type opt_type tensor named_type
%type <types> named_types
%type <param> param field const_param
%type <params> params paramlist fields opt_outputs
%type <generic> generic
%type <generics> generics genericlist
%type <stmt> stmt if axis for sweep
%type <block> block stmts
%type <name> opt_parts
%type <setting> setting
%type <settings> settings opt_with
%type <tune_value> tune_value
%type <tune_values> tune_values
%type <flag> opt_strided opt_absent
%type <stmt> let

%right '?' ':'
%left OROR
%left ANDAND
%left '|'
%left '^'
%left '&'
%left EQ NE
%left '<' '>' LE GE
%left SHL SHR
%left '+' '-'
%left '*' '/' '%'
%precedence UNARY

%%

start
    : attrs definition            { p->item->at = @definition; }
    | error SYNC_END              { p->no_item = true; }
    ;

/* ---- items ---- */

attrs
    : %empty
    | attrs '@' name                   { PUSH(&p->item->attrs, (struct ast_attr){.name = $name}); }
    | attrs '@' name '(' exprs ')'     { PUSH(&p->item->attrs, (struct ast_attr){$name, $exprs}); }
    ;

definition
    : IMPORT import_path ';'
    | IMPORT import_path AS name ';'   { p->item->name = $name; }
    | CONST name opt_type '=' expr ';'
        {
            p->item->name = $name;
            p->item->constant.type = $opt_type;
            p->item->constant.value = $expr;
        }
    | ENUM name '{' names '}'          { p->item->name = $name; p->item->members = $names; }
    | STRUCT name '{' fields '}'       { p->item->name = $name; p->item->params = $fields; }
    | EXTERN OP signature opt_outputs ';'  { p->item->op.outputs = $opt_outputs; }
    | FN fn_head block                 { p->item->fn.body = $block; }
    | FN fn_head '=' expr ';'          { p->item->fn.body_expr = $expr; }
    | FN error SYNC_BODY resume block  { p->no_item = true; }
    | FN error SYNC_END                { p->no_item = true; }
    | KERNEL kernel_head kernel_clauses block       { p->item->kernel.body = $block; }
    | KERNEL error SYNC_BODY resume kernel_clauses block  { p->no_item = true; }
    | KERNEL error SYNC_END            { p->no_item = true; }
    | OP op_head op_clauses block      { p->item->op.body = $block; }
    | OP error SYNC_BODY resume op_clauses block    { p->no_item = true; }
    | OP error SYNC_END                { p->no_item = true; }
    ;

import_path
    : STRING    { p->item->import.path = $1; p->item->import.path_at = @1; }
    ;

/* An error was reported and the parser stands at a place it knows: speak again. */
resume
    : %empty    { yyerrok; p->in_clauses = true; }
    ;

signature
    : name generics '(' params ')'
        {
            p->item->name = $name;
            p->item->generics = $generics;
            p->item->params = $params;
        }
    ;

fn_head
    : signature ARROW type                     { p->item->fn.result = $type; }
    ;

kernel_head
    : signature                                { p->in_clauses = true; }
    ;

op_head
    : signature ARROW '(' params ')'           { p->item->op.outputs = $params; p->in_clauses = true; }
    ;

opt_outputs
    : %empty                                   { $$ = (ast_params){0}; }
    | ARROW '(' params ')'                     { $$ = $params; }
    ;

generics
    : %empty                        { $$ = (ast_generics){0}; }
    | '<' genericlist '>'           { $$ = $genericlist; }
    ;

genericlist
    : generic                       { $$ = (ast_generics){0}; PUSH(&$$, *$generic); }
    | genericlist ',' generic       { $$ = $1; PUSH(&$$, *$generic); }
    ;

generic
    : name[n] ':' name[set]
        {
            $$ = arena_new(p->arena, struct ast_generic);
            *$$ = (struct ast_generic){.name = $n, .set = $set};
        }
    | name ':' '{' named_types '}'
        {
            $$ = arena_new(p->arena, struct ast_generic);
            *$$ = (struct ast_generic){.name = $name, .members = $named_types};
        }
    ;

named_types
    : named_type                    { $$ = (ast_types){0}; PUSH(&$$, $1); }
    | named_types ',' named_type    { $$ = $1; PUSH(&$$, $3); }
    ;

fields
    : field                         { $$ = (ast_params){0}; PUSH(&$$, *$1); }
    | fields ',' field              { $$ = $1; PUSH(&$$, *$3); }
    ;

field
    : name ':' type                 { $$ = new_param(p, @$, $name, $type, NULL); }
    ;

params
    : %empty                        { $$ = (ast_params){0}; }
    | paramlist
    ;

paramlist
    : param                         { $$ = (ast_params){0}; PUSH(&$$, *$1); }
    | paramlist ',' param           { $$ = $1; PUSH(&$$, *$3); }
    ;

param
    : field
    | name ':' type '=' expr        { $$ = new_param(p, @$, $name, $type, $expr); }
    | const_param
    | const_param '=' expr          { $$ = $1; $$->value = $expr; $$->at = @$; }
    ;

const_param
    : CONST name ':' type choices
        {
            $$ = new_param(p, @$, $name, $type, NULL);
            $$->is_const = true;
            $$->choices = $choices;
        }
    ;

choices
    : %empty                        { $$ = (ast_exprs){0}; }
    | IN '{' exprs '}'              { $$ = $exprs; }
    ;

/* ---- clauses ---- */

kernel_clauses
    : %empty
    | kernel_clauses kernel_clause
    ;

kernel_clause
    : META metas ';'
    | SPECIALIZE exprs ';'
        { PUSH(&p->item->kernel.specialize, (struct ast_group){$exprs, @$}); }
    | REQUIRE expr ';'
        { PUSH(&p->item->kernel.requires, (struct ast_require){$expr, NULL}); }
    | REQUIRE expr ',' message ';'
        { PUSH(&p->item->kernel.requires, (struct ast_require){$expr, $<expr>message}); }
    | TUNE open tunes '}'
        { p->item->kernel.has_tune = true; p->item->kernel.tune_at = @1; p->depth--; }
    | error SYNC                    { yyerrok; }
    ;

message
    : STRING                        { $<expr>$ = new_text_expr(p, EXPR_STRING, @1, $1); }
    ;

metas
    : meta
    | metas ',' meta
    ;

meta
    : name opt_type '=' expr
        { PUSH(&p->item->kernel.meta, (struct ast_meta){$name, $opt_type, $expr}); }
    ;

tunes
    : %empty
    | tunes tune
    ;

tune
    : name IN '{' tune_values '}' ';'
        { PUSH(&p->item->kernel.tune, (struct ast_tune){$name, $tune_values}); }
    | WHERE expr ';'
        { PUSH(&p->item->kernel.where, $expr); }
    | default
    | error SYNC                    { yyerrok; }
    ;

default
    : DEFAULT '{' settings '}' ';'  { add_default(p, $settings, NULL, @$); }
    | DEFAULT '{' settings '}' WHERE expr ';'
                                    { add_default(p, $settings, $expr, @$); }
    | WHERE expr open
        {
            $<expr>$ = p->group;
            PUSH(&p->item->kernel.groups, $expr);
            p->group = new_both(p, p->group, $expr);
        }[outer] defaults '}'
        {
            p->group = $<expr>outer;
            p->depth--;
        }
    ;

defaults
    : %empty
    | defaults default
    | defaults error SYNC           { yyerrok; }
    ;

tune_values
    : tune_value                    { $$ = (ast_tune_values){0}; PUSH(&$$, $1); }
    | tune_values ',' tune_value    { $$ = $1; PUSH(&$$, $3); }
    ;

tune_value
    : expr                          { $$ = (struct ast_tune_value){$1, NULL, NULL}; }
    | expr[lo] DOTDOT expr[hi]      { $$ = (struct ast_tune_value){$lo, $hi, NULL}; }
    | expr[lo] DOTDOT expr[hi] STEP expr[step]
                                    { $$ = (struct ast_tune_value){$lo, $hi, $step}; }
    ;

settings
    : setting                       { $$ = (ast_settings){0}; PUSH(&$$, $1); }
    | settings ',' setting          { $$ = $1; PUSH(&$$, $3); }
    ;

setting
    : name '=' expr                 { $$ = (struct ast_setting){$name, $expr}; }
    ;

op_clauses
    : %empty
    | op_clauses op_clause
    ;

op_clause
    : REQUIRE expr ';'
        { PUSH(&p->item->op.requires, (struct ast_require){$expr, NULL}); }
    | REQUIRE expr ',' message ';'
        { PUSH(&p->item->op.requires, (struct ast_require){$expr, $<expr>message}); }
    | KEY '(' exprs ')' ';'         { p->item->op.key = $exprs; }
    | GRAD name ';'                 { p->item->op.grad = $name; }
    | REF name ';'                  { p->item->op.ref = $name; }
    | SAMPLE name '=' expr ';'
        { PUSH(&p->item->op.samples, (struct ast_sample){$name, $expr}); }
    | BENCH '{' settings '}' ';'
        { PUSH(&p->item->op.benches, (struct ast_bench){$settings, @$}); }
    | error SYNC                    { yyerrok; }
    ;

/* ---- types ---- */

type
    : named_type
    | tensor
    | MUT tensor                    { $$ = $2; $$->access = ACCESS_MUT; $$->at = @$; }
    | OUT tensor                    { $$ = $2; $$->access = ACCESS_OUT; $$->at = @$; }
    | TILE '<' named_type '>' dims
        { $$ = new_tensor(p, @$, $named_type, $dims); $$->kind = TYPE_TILE; }
    | PTR '<' named_type '>'
        { $$ = new_type(p, TYPE_PTR, @$); $$->element = $named_type; }
    ;

named_type
    : name                          { $$ = new_type(p, TYPE_NAME, @$); $$->name = $1; }
    | name[module] '.' name[n]
        { $$ = new_type(p, TYPE_NAME, @$); $$->module = $module; $$->name = $n; }
    ;

tensor
    : TENSOR '<' named_type '>' dims opt_strided opt_absent
        {
            $$ = new_tensor(p, @$, $named_type, $dims);
            $$->strided = $opt_strided;
            $$->optional = $opt_absent;
        }
    ;

opt_type
    : %empty                        { $$ = NULL; }
    | ':' type                      { $$ = $type; }
    ;

dims
    : '[' opt_exprs ']'             { $$ = $2; }
    ;

opt_strided
    : %empty                        { $$ = false; }
    | STRIDED                       { $$ = true; }
    ;

opt_absent
    : %empty                        { $$ = false; }
    | '?'                           { $$ = true; }
    ;

/* ---- statements ---- */

block
    : open stmts '}'                { $$ = $stmts; p->depth--; }
    ;

/* A '{' with a way to recover inside it. */
open
    : '{'                           { if (!parse_open_block(p)) YYABORT; }
    ;

stmts
    : %empty                        { $$ = (ast_block){0}; }
    | stmts stmt                    { $$ = $1; PUSH(&$$, $2); }
    ;

stmt
    : let ';'                       { $$ = $1; $$->at = @$; }
    | axis ';'                      { $$ = $1; $$->at = @$; }
    | GRID axis ';'                 { $$ = $2; $$->at = @$; $$->axis.is_grid = true; }
    | GRID name IN expr[lo] DOTDOT expr[hi] opt_bound ';'
        {
            $$ = new_stmt(p, STMT_GRID, @$);
            $$->axis.name = $name;
            $$->axis.is_grid = true;
            $$->axis.lo = $lo;
            $$->axis.hi = $hi;
            $$->axis.bound = $opt_bound;
        }
    | sweep opt_pipeline block
        { $$ = $1; $$->at = @$; $$->loop.pipeline = $2; $$->loop.body = $block; }
    | FOR for opt_pipeline block
        { $$ = $2; $$->at = @$; $$->loop.pipeline = $3; $$->loop.body = $block; }
    | FOR STATIC for opt_pipeline block
        {
            $$ = $3;
            $$->at = @$;
            $$->loop.is_static = true;
            $$->loop.pipeline = $4;
            $$->loop.body = $block;
        }
    | WHILE expr block
        {
            $$ = new_stmt(p, STMT_WHILE, @$);
            $$->branch.test = $expr;
            $$->branch.body = $block;
        }
    | if
    | BREAK ';'                     { $$ = new_stmt(p, STMT_BREAK, @$); }
    | CONTINUE ';'                  { $$ = new_stmt(p, STMT_CONTINUE, @$); }
    | RETURN ';'                    { $$ = new_stmt(p, STMT_RETURN, @$); }
    | RETURN expr ';'
        { $$ = new_stmt(p, STMT_RETURN, @$); PUSH(&$$->values, $expr); }
    | RETURN '(' expr ',' exprs ')' ';'
        {
            $$ = new_stmt(p, STMT_RETURN, @$);
            PUSH(&$$->values, $expr);
            for (uint32_t i = 0; i < $exprs.count; i++)
                PUSH(&$$->values, $exprs.data[i]);
        }
    | ASSERT '(' exprs ')' ';'          { $$ = new_values(p, STMT_ASSERT, @$, $exprs); }
    | ASSUME '(' exprs ')' ';'          { $$ = new_values(p, STMT_ASSUME, @$, $exprs); }
    | STATIC_ASSERT '(' exprs ')' ';'   { $$ = new_values(p, STMT_STATIC_ASSERT, @$, $exprs); }
    | expr ';'                          { $$ = new_stmt(p, STMT_EXPR, @$); $$->expr = $expr; }
    | expr[to] '=' expr[value] ';'      { $$ = new_assign(p, @$, ASSIGN_SET, $to, $value); }
    | expr[to] ADD_SET expr[value] ';'  { $$ = new_assign(p, @$, ASSIGN_ADD, $to, $value); }
    | expr[to] SUB_SET expr[value] ';'  { $$ = new_assign(p, @$, ASSIGN_SUB, $to, $value); }
    | expr[to] MUL_SET expr[value] ';'  { $$ = new_assign(p, @$, ASSIGN_MUL, $to, $value); }
    | expr[to] DIV_SET expr[value] ';'  { $$ = new_assign(p, @$, ASSIGN_DIV, $to, $value); }
    | block                             { $$ = new_stmt(p, STMT_BLOCK, @$); $$->block = $block; }
    | LAUNCH callee '(' args ')' opt_grid opt_with ';'
        {
            $$ = new_stmt(p, STMT_LAUNCH, @$);
            $$->launch.call = new_call(p, span_join(@2, @5), $callee, $args);
            $$->launch.has_grid = $opt_grid.count != 0;
            $$->launch.grid = $opt_grid;
            $$->launch.with = $opt_with;
        }
    | error SYNC                        { yyerrok; $$ = new_stmt(p, STMT_POISON, @1); }
    ;

callee
    : name                          { $$ = new_text_expr(p, EXPR_NAME, @$, $1.text); }
    | name[module] '.' name[n]
        { $$ = new_member(p, @$, new_text_expr(p, EXPR_NAME, @1, $module.text), $n); }
    ;

let
    : LET name opt_type '=' expr
        { $$ = new_let(p, STMT_LET, @$, $name, $opt_type, $expr); }
    | LET '(' names ')' '=' expr
        {
            $$ = new_stmt(p, STMT_LET, @$);
            $$->let.names = $names;
            $$->let.value = $expr;
        }
    | VAR name opt_type '=' expr
        { $$ = new_let(p, STMT_VAR, @$, $name, $opt_type, $expr); }
    | SCRATCH name ':' type             { $$ = new_let(p, STMT_SCRATCH, @$, $name, $type, NULL); }
    | SCRATCH name ':' type '=' expr    { $$ = new_let(p, STMT_SCRATCH, @$, $name, $type, $expr); }
    ;

axis
    : AXIS name IN expr[lo] DOTDOT expr[hi] TILE expr[tile] opt_bound opt_parts
        {
            $$ = new_stmt(p, STMT_AXIS, @$);
            $$->axis.name = $name;
            $$->axis.lo = $lo;
            $$->axis.hi = $hi;
            $$->axis.tile = $tile;
            $$->axis.bound = $opt_bound;
            $$->axis.parts = $opt_parts;
        }
    ;

opt_bound
    : %empty                        { $$ = NULL; }
    | BOUND expr                    { $$ = $expr; }
    ;

opt_parts
    : %empty                        { $$ = (struct ast_name){0}; }
    | PARTS name                    { $$ = $name; }
    ;

sweep
    : SWEEP name
        { $$ = new_loop(p, STMT_SWEEP, $name, NULL, NULL, NULL); }
    | SWEEP name IN expr[lo] DOTDOT expr[hi]
        { $$ = new_loop(p, STMT_SWEEP, $name, $lo, $hi, NULL); }
    ;

for
    : name IN expr[lo] DOTDOT expr[hi]
        { $$ = new_loop(p, STMT_FOR, $name, $lo, $hi, NULL); }
    | name IN expr[lo] DOTDOT expr[hi] STEP expr[step]
        { $$ = new_loop(p, STMT_FOR, $name, $lo, $hi, $step); }
    ;

opt_pipeline
    : %empty                        { $$ = NULL; }
    | PIPELINE '(' expr ')'         { $$ = $expr; }
    ;

if
    : IF expr block
        {
            $$ = new_stmt(p, STMT_IF, @$);
            $$->branch.test = $expr;
            $$->branch.body = $block;
        }
    | IF expr block[yes] else block[no]
        {
            $$ = new_stmt(p, STMT_IF, @$);
            $$->branch.test = $expr;
            $$->branch.body = $yes;
            $$->branch.no = $no;
            $$->branch.has_no = true;
            p->depth--;
        }
    | IF expr block else if[nested]
        {
            $$ = new_stmt(p, STMT_IF, @$);
            $$->branch.test = $expr;
            $$->branch.body = $block;
            PUSH(&$$->branch.no, $nested);
            $$->branch.has_no = true;
            p->depth--;
        }
    ;

else
    : ELSE                          { if (!parse_enter(p)) YYABORT; }
    ;

opt_grid
    : %empty                        { $$ = (ast_exprs){0}; }
    | GRID '(' exprs ')'            { $$ = $exprs; }
    ;

opt_with
    : %empty                        { $$ = (ast_settings){0}; }
    | WITH '{' settings '}'         { $$ = $settings; }
    ;

/* ---- expressions ---- */

exprs
    : expr                          { $$ = (ast_exprs){0}; PUSH(&$$, $1); }
    | exprs ',' expr                { $$ = $1; PUSH(&$$, $3); }
    ;

opt_exprs
    : %empty                        { $$ = (ast_exprs){0}; }
    | exprs
    ;

expr
    : primary
    | expr '+' expr                 { BINARY($$, @$, ADD, @2, $1, $3); }
    | expr '-' expr                 { BINARY($$, @$, SUB, @2, $1, $3); }
    | expr '*' expr                 { BINARY($$, @$, MUL, @2, $1, $3); }
    | expr '/' expr                 { BINARY($$, @$, DIV, @2, $1, $3); }
    | expr '%' expr                 { BINARY($$, @$, REM, @2, $1, $3); }
    | expr SHL expr                 { BINARY($$, @$, SHL, @2, $1, $3); }
    | expr SHR expr                 { BINARY($$, @$, SHR, @2, $1, $3); }
    | expr '<' expr                 { BINARY($$, @$, LT, @2, $1, $3); }
    | expr '>' expr                 { BINARY($$, @$, GT, @2, $1, $3); }
    | expr LE expr                  { BINARY($$, @$, LE, @2, $1, $3); }
    | expr GE expr                  { BINARY($$, @$, GE, @2, $1, $3); }
    | expr EQ expr                  { BINARY($$, @$, EQ, @2, $1, $3); }
    | expr NE expr                  { BINARY($$, @$, NE, @2, $1, $3); }
    | expr '&' expr                 { BINARY($$, @$, BIT_AND, @2, $1, $3); }
    | expr '|' expr                 { BINARY($$, @$, BIT_OR, @2, $1, $3); }
    | expr '^' expr                 { BINARY($$, @$, BIT_XOR, @2, $1, $3); }
    | expr ANDAND expr              { BINARY($$, @$, AND, @2, $1, $3); }
    | expr OROR expr                { BINARY($$, @$, OR, @2, $1, $3); }
    | expr[test] '?' expr[yes] ':' expr[no]   { $$ = new_cond(p, @$, $test, $yes, $no); }
    | '-' expr %prec UNARY          { $$ = new_unary(p, @$, AST_NEGATE, $2); }
    | '!' expr %prec UNARY          { $$ = new_unary(p, @$, AST_NOT, $2); }
    | '~' expr %prec UNARY          { $$ = new_unary(p, @$, AST_BIT_NOT, $2); }
    ;

primary
    : name                          { $$ = new_text_expr(p, EXPR_NAME, @$, $1.text); }
    | INT                           { $$ = new_expr(p, EXPR_INT, @$); $$->integer = $1; }
    | FLOAT                         { $$ = new_expr(p, EXPR_FLOAT, @$); $$->floating = $1; }
    | STRING                        { $$ = new_text_expr(p, EXPR_STRING, @$, $1); }
    | TRUE_                         { $$ = new_expr(p, EXPR_BOOL, @$); $$->boolean = true; }
    | FALSE_                        { $$ = new_expr(p, EXPR_BOOL, @$); $$->boolean = false; }
    | HAS name                      { $$ = new_text_expr(p, EXPR_HAS, @$, $2.text); }
    | '(' expr ')'                  { $$ = $2; $$->at = @$; }
    | primary[f] '(' args ')'       { $$ = new_call(p, @$, $f, $args); }
    | primary[base] '[' subs ']'    { $$ = new_index(p, @$, $base, $subs); }
    | primary[base] '[' ']'         { $$ = new_index(p, @$, $base, (ast_subs){0}); }
    | primary[base] '.' name        { $$ = new_member(p, @$, $base, $name); }
    ;

args
    : %empty                        { $$ = (ast_args){0}; }
    | arglist
    ;

arglist
    : arg                           { $$ = (ast_args){0}; PUSH(&$$, *$1); }
    | arglist ',' arg               { $$ = $1; PUSH(&$$, *$3); }
    ;

arg
    : expr                          { $$ = new_arg(p, @$, $1); }
    | name ':' expr                 { $$ = new_arg(p, @$, $expr); $$->name = $name; }
    | over
    | over WITH name                { $$ = $1; $$->at = @$; $$->with = $name; }
    | over WITH '(' names ')' FATARROW expr
        { $$ = $1; $$->at = @$; $$->with_params = $names; $$->with_body = $expr; }
    ;

over
    : expr OVER axes opt_to
        {
            $$ = new_arg(p, @$, $expr);
            $$->has_over = true;
            $$->over = $axes;
            $$->to = $opt_to;
        }
    ;

axes
    : name                          { $$ = (ast_names){0}; PUSH(&$$, $1); }
    | '(' names ')'                 { $$ = $names; }
    ;

opt_to
    : %empty                        { $$ = (struct ast_name){0}; }
    | TO name                       { $$ = $name; }
    ;

subs
    : sub                           { $$ = (ast_subs){0}; PUSH(&$$, $1); }
    | subs ',' sub                  { $$ = $1; PUSH(&$$, $3); }
    ;

sub
    : expr                          { $$ = (struct ast_sub){$1, NULL}; }
    | expr[first] DOTDOT expr[last] { $$ = (struct ast_sub){$first, $last}; }
    ;

/* ---- names ---- */

names
    : name                          { $$ = (ast_names){0}; PUSH(&$$, $1); }
    | names ',' name                { $$ = $1; PUSH(&$$, $3); }
    ;

name
    : NAME                          { $$ = (struct ast_name){$1, @1}; }
    | word                          { $$ = (struct ast_name){$1, @1}; parse_mark_name(p, @1); }
    ;

/* token_is_word below lists the same. */
word
    : AS | BENCH | BOUND | DEFAULT | GRAD | GRID | KEY | LAUNCH | META | MUT | OUT | OVER | PARTS
    | PIPELINE | REF | REQUIRE | SAMPLE | SCRATCH | SPECIALIZE | STATIC | STEP | STRIDED | TO | TUNE
    | WHERE | WITH
    ;

%%

bool token_is_word(int kind)
{
    return kind >= AS && kind <= WITH;
}

bool token_is_keyword(int kind)
{
    return kind >= IMPORT && kind <= FALSE_;
}

const char *token_spelling(int kind)
{
    return yysymbol_name(YYTRANSLATE(kind));
}

static int token_of(yysymbol_kind_t symbol)
{
    for (int kind = 0; kind <= YYMAXUTOK; kind++)
        if (YYTRANSLATE(kind) == symbol)
            return kind;
    return SYNTAX_YYUNDEF;
}

static int yyreport_syntax_error(const yypcontext_t *context, struct parse *p)
{
    yysymbol_kind_t symbols[YYNTOKENS];
    int expected[YYNTOKENS];
    int count = yypcontext_expected_tokens(context, symbols, YYNTOKENS);
    for (int i = 0; i < count; i++)
        expected[i] = token_of(symbols[i]);
    recover_report(p, expected, count < 0 ? 0 : count);
    return 0;
}

/* Bison calls this when its stack is full, and for nothing else. */
static void syntax_yyerror(struct span *at, struct parse *p, const char *text)
{
    (void)text;
    recover_too_deep(p, *at);
}

static int syntax_yylex(YYSTYPE *value, struct span *at, struct parse *p)
{
    struct token token = parse_next_token(p);
    *at = (struct span){p->source, token.begin, token.end};
    if (token.kind == INT)
        value->integer = token.integer;
    else if (token.kind == FLOAT)
        value->floating = token.floating;
    else
        value->text = token.text;
    return token.kind == BAD ? SYNTAX_YYerror : token.kind;
}
