/*
 * boot/bootinfo.h - the kernel's own, so that kip.h finds it
 */
#pragma once

#include "../../../kernel/boot/bootinfo.h"
