/*
 * x86/pic.h - the two 8259 interrupt controllers: sixteen lines
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { PIC_LINES = 16, PIC_CASCADE = 2 };

/* Lines on vectors VECTOR_PIC.., all masked. */
void pic_init(void);
void pic_mask(unsigned line, bool mask);
/* The line's interrupt has arrived; false: it was none (noise on a line). */
bool pic_ack(unsigned line);
/* Level-triggered? Otherwise by the rising edge. */
bool pic_level(unsigned line);
/* False: this line is wired to an edge. */
bool pic_set_level(unsigned line, bool level);
