/*
 * factory.h - factories: objects are made here and paid from here
 *
 * F1  quota.used of a factory is the sum of what its objects hold and of the limits of the
 *     factories made from it.
 * F2  A factory without capabilities lives on while objects that it paid for do (`users`).
 */
#pragma once

#include "kmem.h"
#include "object.h"

struct factory {
    struct object obj;
    struct quota quota;
    uint64_t users;
} OBJECT_ALIGNED;

extern const struct object_ops factory_ops;
extern struct slab factory_slab;
extern struct factory root_factory; /* pays for sigma0 and the root task; the whole pool */

static inline struct factory *factory_of(struct object *o)
{
    return (struct factory *)o;
}

static inline struct quota *object_quota(struct object *factory)
{
    return &factory_of(factory)->quota;
}

void factory_user_gone(struct factory *f);

/* The object behind capability item `i` of an invocation: 0, -L4_EMSGMISSARG (no such item),
 * -L4_ENOENT (void), -L4_EINVAL (another type), -L4_EPERM (lacks `rights`). */
int item_object(const struct invocation *iv, unsigned i, enum object_type type, unsigned rights,
                struct object **o);
