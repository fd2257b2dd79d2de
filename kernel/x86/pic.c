/*
 * pic.c - the two 8259 interrupt controllers
 *
 * Every PC has them, and QEMU's wires all its ISA devices to them, so they are enough until
 * there is a second CPU. Their output reaches the CPU through the local APIC (timer.c).
 */
#include "x86/pic.h"

#include "x86/cpu.h"

enum {
    MASTER = 0x20,
    SLAVE = 0xa0,
    EDGE_LEVEL = 0x4d0, /* two ports, a bit a line: 1 is level */
    READ_IN_SERVICE = 0x0b,
    END_OF = 0x60, /* | line */
    ALWAYS_EDGE = 1 << 0 | 1 << 1 | 1 << PIC_CASCADE | 1 << 8 | 1 << 13,
};

static uint16_t masked = (uint16_t)~(1 << PIC_CASCADE);

static void put_mask(void)
{
    outb(MASTER + 1, (uint8_t)masked);
    outb(SLAVE + 1, (uint8_t)(masked >> 8));
}

void pic_init(void)
{
    static const uint8_t words[][2] = {
        {0x11, 0x11}, /* begin; four words */
        {VECTOR_PIC, VECTOR_PIC + 8},
        {1 << PIC_CASCADE, PIC_CASCADE},
        {1, 1}, /* as in a PC */
    };

    for (unsigned i = 0; i < 4; i++) {
        outb(MASTER + (i > 0), words[i][0]);
        outb(SLAVE + (i > 0), words[i][1]);
    }
    put_mask();
}

void pic_mask(unsigned line, bool mask)
{
    if (mask)
        masked |= (uint16_t)(1 << line);
    else
        masked &= (uint16_t)~(1 << line);
    put_mask();
}

bool pic_ack(unsigned line)
{
    uint16_t chip = line < 8 ? MASTER : SLAVE;
    bool real = true;

    if (line % 8 == 7) { /* what a controller says when the line that woke it is gone */
        outb(chip, READ_IN_SERVICE);
        real = inb(chip) & 0x80;
    }
    if (real)
        outb(chip, (uint8_t)(END_OF | line % 8));
    if (line >= 8)
        outb(MASTER, END_OF | PIC_CASCADE);
    return real;
}

bool pic_level(unsigned line)
{
    return inb((uint16_t)(EDGE_LEVEL + line / 8)) >> line % 8 & 1;
}

bool pic_set_level(unsigned line, bool level)
{
    uint16_t port = (uint16_t)(EDGE_LEVEL + line / 8);
    uint8_t bit = (uint8_t)(1 << line % 8);

    if (ALWAYS_EDGE >> line & 1)
        return !level;
    outb(port, (uint8_t)(level ? inb(port) | bit : inb(port) & ~bit));
    return true;
}
