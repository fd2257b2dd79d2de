/*
 * list.h - doubly linked rings
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *next;
    struct link *prev;
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct link *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool list_empty(const struct link *l)
{
    return l->next == l;
}

/* Before `at`: with a list's head, at its end. */
static inline void list_add(struct link *at, struct link *l)
{
    l->next = at;
    l->prev = at->prev;
    at->prev->next = l;
    at->prev = l;
}

/* The element is then a ring of its own, so that removing it twice does no harm. */
static inline void list_del(struct link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    l->next = l;
    l->prev = l;
}
