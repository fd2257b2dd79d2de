/*
 * qsort.c - quicksort that cannot go wrong
 *
 * Q1  At most 2 log2(n) partitions deep, then heap sort: O(n log n) for every input.
 * Q2  Recursion only into the smaller part: stack depth at most log2(n).
 */
#include <stdlib.h>
#include <string.h>

typedef int (*compare_fn)(const void *, const void *);

struct order {
    size_t size;
    compare_fn cmp;
};

enum { INSERTION_MAX = 12 };

static void swap(const struct order *o, char *a, char *b)
{
    size_t n = o->size;

    for (; n >= 8; n -= 8, a += 8, b += 8) {
        unsigned long x, y;

        __builtin_memcpy(&x, a, 8);
        __builtin_memcpy(&y, b, 8);
        __builtin_memcpy(a, &y, 8);
        __builtin_memcpy(b, &x, 8);
    }
    for (; n > 0; n--, a++, b++) {
        char c = *a;

        *a = *b;
        *b = c;
    }
}

static void insertion_sort(const struct order *o, char *base, size_t n)
{
    char *end = base + n * o->size;
    char *i, *j;

    for (i = base + o->size; i < end; i += o->size) {
        for (j = i; j > base && o->cmp(j - o->size, j) > 0; j -= o->size)
            swap(o, j - o->size, j);
    }
}

static void sift_down(const struct order *o, char *base, size_t at, size_t n)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= n)
            return;
        if (child + 1 < n && o->cmp(base + child * o->size, base + (child + 1) * o->size) < 0)
            child++;
        if (o->cmp(base + at * o->size, base + child * o->size) >= 0)
            return;
        swap(o, base + at * o->size, base + child * o->size);
        at = child;
    }
}

static void heap_sort(const struct order *o, char *base, size_t n)
{
    size_t i;

    for (i = n / 2; i > 0; i--)
        sift_down(o, base, i - 1, n);
    for (i = n - 1; i > 0; i--) {
        swap(o, base, base + i * o->size);
        sift_down(o, base, 0, i);
    }
}

/* The median of first, middle and last goes to the front as the pivot. */
static void pivot_choose(const struct order *o, char *base, size_t n)
{
    char *mid = base + n / 2 * o->size;
    char *last = base + (n - 1) * o->size;

    if (o->cmp(mid, last) > 0)
        swap(o, mid, last);
    if (o->cmp(base, mid) < 0) {
        swap(o, base, mid); /* now mid <= base, mid <= last */
        if (o->cmp(base, last) > 0)
            swap(o, base, last);
    }
}

/* Returns the pivot's final place: nothing left of it is greater, nothing right of it smaller. */
static size_t partition(const struct order *o, char *base, size_t n)
{
    size_t i = 0, j = n;

    pivot_choose(o, base, n);
    for (;;) {
        do
            i++;
        while (i < n && o->cmp(base + i * o->size, base) < 0);
        do
            j--;
        while (o->cmp(base + j * o->size, base) > 0);
        if (i >= j)
            break;
        swap(o, base + i * o->size, base + j * o->size);
    }
    if (j > 0)
        swap(o, base, base + j * o->size);
    return j;
}

static void quick_sort(const struct order *o, char *base, size_t n, unsigned depth)
{
    while (n > INSERTION_MAX) {
        size_t p, right;

        if (depth-- == 0) {
            heap_sort(o, base, n);
            return;
        }
        p = partition(o, base, n);
        right = n - p - 1;
        if (p < right) {
            quick_sort(o, base, p, depth);
            base += (p + 1) * o->size;
            n = right;
        } else {
            quick_sort(o, base + (p + 1) * o->size, right, depth);
            n = p;
        }
    }
    insertion_sort(o, base, n);
}

void qsort(void *base, size_t n, size_t size, int (*cmp)(const void *, const void *))
{
    const struct order o = {size, cmp};

    if (n > 1 && size > 0)
        quick_sort(&o, base, n, 2 * (64 - (unsigned)__builtin_clzl(n)));
}
