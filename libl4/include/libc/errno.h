/*
 * errno.h - functions here return negative L4 codes (l4/sys/err.h); only the names of C itself
 */
#pragma once

#define ENOENT 2
#define ENOMEM 12
#define EINVAL 22
#define ERANGE 34
