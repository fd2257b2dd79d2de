/*
 * l4/sys/err.h - error codes and their texts
 */
#pragma once

#include <abi/errors.h>

#include <l4/sys/compiler.h>

/* Text of an error: `err` as functions return it (negative) or the bare code; IPC errors too. */
L4_CV char const *l4sys_errtostr(long err);
