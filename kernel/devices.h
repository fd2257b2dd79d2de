/*
 * devices.h - the kernel objects that exist once
 */
#pragma once

#include "object.h"

extern struct object log_object, scheduler_object, debugger_object;

/* What becomes of an object that exists once when its last capability is gone: nothing. */
enum reap object_never_reap(struct object *o);
void object_never_release(struct object *o);
