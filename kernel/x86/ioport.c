/*
 * ioport.c - in and out that the CPU refused: which port, and the message to the pager
 *
 * The CPU says no more than #GP(0); the instruction tells the rest. This is the one place where
 * the kernel reads user memory through the user's own mapping.
 */
#include "fault.h"
#include "io.h"
#include "klog.h"
#include "ptab.h"
#include "sched.h"
#include "x86/cpu.h"

#include <abi/fpage.h>

enum { INSTRUCTION_MAX = 15 };

/*
 * One byte of user code; false: nothing is mapped there. The running thread's space is loaded, and
 * with interrupts off nobody can unmap the page between the look and the read. The page may not be
 * readable for the thread but for execution: on this CPU, what can be executed can be read.
 */
static bool fetch(const struct thread *t, uint64_t va, uint8_t *byte)
{
    unsigned level;
    const pte_t *e = va < L4_USER_END ? ptab_find(&t->task->space, va, &level) : NULL;
    bool smap = cpu0.features & CPU_SMAP;

    if (!e || !(*e & PTE_P))
        return false;
    if (smap)
        __asm__ volatile("stac" : : : "memory");
    *byte = *(volatile const uint8_t *)va;
    if (smap)
        __asm__ volatile("clac" : : : "memory");
    return true;
}

static bool is_prefix(uint8_t b)
{
    return b == 0x66 || b == 0x67 || b == 0xf2 || b == 0xf3 || b == 0x26 || b == 0x2e ||
           b == 0x36 || b == 0x3e || b == 0x64 || b == 0x65 || (b & 0xf0) == 0x40; /* REX */
}

/* Is the thread's next instruction in, out, ins or outs? Its first port, log2 of its bytes. */
static bool decode(const struct thread *t, unsigned *port, unsigned *order)
{
    uint64_t at = t->regs.rip, end = at + INSTRUCTION_MAX;
    bool word = false;
    uint8_t b;

    for (;; at++) {
        if (at == end || !fetch(t, at, &b))
            return false;
        if (!is_prefix(b))
            break;
        word |= b == 0x66;
    }
    if ((b & 0xf4) != 0xe4 && (b & 0xfc) != 0x6c) /* e4-e7, ec-ef; 6c-6f */
        return false;
    *order = !(b & 1) ? 0 : word ? 1 : 2;
    *port = t->regs.rdx & 0xffff;
    if ((b & 0xfc) == 0xe4) {
        if (at + 1 == end || !fetch(t, at + 1, &b))
            return false;
        *port = b;
    }
    return *port + (1u << *order) <= IO_PORTS;
}

bool io_fault(struct thread *t)
{
    const struct io_space *io = t->task->io;
    unsigned port, order, missing;

    if (!decode(t, &port, &order))
        return false;
    for (missing = port; missing < port + (1u << order); missing++)
        if (!io || io_denied(io, missing))
            break;
    if (missing == port + (1u << order)) /* it holds them all: the reason was another */
        return false;
    if (port & ((1u << order) - 1)) { /* no flexpage covers it: one port after the other */
        port = missing;
        order = 0;
    }
    t->fault_address = (uint64_t)port << L4_FPAGE_ADDR_SHIFT | order << L4_FPAGE_SIZE_SHIFT |
                       L4_FPAGE_IO << L4_FPAGE_TYPE_SHIFT | L4_FPAGE_RW;
    t->message = MESSAGE_IO_FAULT;
    t->task->page_faults++;
    fault_send(t);
    return true;
}
