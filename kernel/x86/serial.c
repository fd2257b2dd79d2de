/*
 * serial.c - COM1: where the kernel log goes
 */
#include "x86/cpu.h"

enum { COM1 = 0x3f8, DATA = 0, INT_ENABLE = 1, FIFO = 2, LINE = 3, MODEM = 4, STATUS = 5 };

/* A port without a device reads 0xff for ever: give up rather than hang. */
enum { SERIAL_TRIES = 100000 };

void serial_init(void)
{
    outb(COM1 + INT_ENABLE, 0);
    outb(COM1 + LINE, 0x80);
    outb(COM1 + DATA, 1); /* 115200 baud */
    outb(COM1 + INT_ENABLE, 0);
    outb(COM1 + LINE, 3);
    outb(COM1 + FIFO, 7);
    outb(COM1 + MODEM, 3);
}

void serial_put(char c)
{
    for (unsigned i = 0; i < SERIAL_TRIES && !(inb(COM1 + STATUS) & 0x20); i++)
        __asm__ volatile("pause");
    outb(COM1 + DATA, (uint8_t)c);
}

int serial_get(void)
{
    return (inb(COM1 + STATUS) & 1) ? inb(COM1 + DATA) : -1;
}
