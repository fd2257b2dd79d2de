/*
 * x86/pic.h - the kernel's own: two interrupt controllers, played by machine.c
 */
#pragma once

#include "../../../kernel/x86/pic.h"
