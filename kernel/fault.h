/*
 * fault.h - traps of user mode that become messages
 */
#pragma once

#include "thread.h"

/* A page fault goes to the pager, any other trap to the exception handler. fault_page() gives the
 * pager if that is waiting and runs next, or NULL: ask the scheduler. */
struct thread *fault_page(struct thread *t, uint64_t address, uint64_t err);
void fault_exception(struct thread *t);
/* The message of a page fault to a pager that waits: the pager, which runs next, or NULL. */
struct thread *fault_shortcut(struct thread *t);
/* Send the message of a faulting thread (again). */
void fault_send(struct thread *t);
/* The answer has arrived. */
void fault_answered(struct thread *t, l4_msgtag_t tag);
/* The message could not be delivered or was not answered. */
void fault_failed(struct thread *t);
/* The two words of a page fault. */
static inline void fault_page_words(const struct thread *t, uint64_t *mr)
{
    mr[0] = (t->fault_address & ~7UL) | t->fault_bits;
    mr[1] = t->regs.rip;
}

/* The message's words, into or out of MRs. Number of words. */
unsigned fault_words(const struct thread *t, uint64_t *mr);
void fault_take_words(struct thread *t, const uint64_t *mr, unsigned words);
