/*
 * l4/sys/linkage.h - calling conventions: there is one (compiler.h)
 */
#pragma once

#include <l4/sys/compiler.h>

#define FASTCALL(x) x
#define L4_FASTCALL(x) x
