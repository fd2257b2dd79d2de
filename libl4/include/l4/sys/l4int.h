/*
 * l4/sys/l4int.h - integer types (see abi/types.h)
 */
#pragma once

#include <abi/types.h>

#define L4_MWORD_BITS 64

typedef long l4_ret_t; /* 0 or a result, or -L4_E... */
typedef long l4_proto_t;
