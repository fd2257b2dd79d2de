/*
 * ubsan.c - the run time of -fsanitize=undefined: whatever is found is a panic with its place
 */
#include "klog.h"

#include <stdint.h>

/* What the description of every kind of report begins with. */
struct place {
    const char *file;
    uint32_t line, column;
};

#define UBSAN_KINDS(X)                                                                             \
    X(add_overflow, "a sum that overflows")                                                        \
    X(sub_overflow, "a difference that overflows")                                                 \
    X(mul_overflow, "a product that overflows")                                                    \
    X(negate_overflow, "a negation that overflows")                                                \
    X(divrem_overflow, "a division by 0, or one that overflows")                                   \
    X(shift_out_of_bounds, "a shift by too much, or of a negative number")                         \
    X(out_of_bounds, "an index out of bounds")                                                     \
    X(type_mismatch_v1, "a null pointer, a misaligned one, or an object too small")                \
    X(pointer_overflow, "a pointer that overflows")                                                \
    X(load_invalid_value, "a bool or enum of no valid value")                                      \
    X(invalid_builtin, "an argument that the function does not take")                              \
    X(nonnull_arg, "a null argument")                                                              \
    X(vla_bound_not_positive, "an array of no elements")

#define HANDLER(name, text)                                                                        \
    void __ubsan_handle_##name##_abort(const struct place *p) __attribute__((noreturn));           \
    void __ubsan_handle_##name##_abort(const struct place *p)                                      \
    {                                                                                              \
        panic("ubsan: %s, %s:%u:%u", text, p->file, p->line, p->column);                           \
    }
UBSAN_KINDS(HANDLER)

/* These two have no way to go on. */
void __ubsan_handle_builtin_unreachable(const struct place *p) __attribute__((noreturn));
void __ubsan_handle_missing_return(const struct place *p) __attribute__((noreturn));

void __ubsan_handle_builtin_unreachable(const struct place *p)
{
    panic("ubsan: a place that is never reached, %s:%u:%u", p->file, p->line, p->column);
}

void __ubsan_handle_missing_return(const struct place *p)
{
    panic("ubsan: a function without result, %s:%u:%u", p->file, p->line, p->column);
}
