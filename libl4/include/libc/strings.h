/*
 * strings.h - kept for programs that include it
 */
#pragma once

#include <string.h>
