/*
 * x86/regs.h - the kernel's own: the frame of registers is the same on the host
 */
#pragma once

#include "../../../kernel/x86/regs.h"
