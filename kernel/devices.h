/*
 * devices.h - the kernel objects that exist once
 */
#pragma once

#include "object.h"

extern struct object log_object, scheduler_object, debugger_object;
