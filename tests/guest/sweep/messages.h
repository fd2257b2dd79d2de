/*
 * sweep/messages.h - first operations that are messages
 */
#pragma once

/* In SOURCE. */
l4_umword_t send_items(void);
l4_umword_t call_granting(void);
l4_umword_t receive_items(void);
l4_umword_t fault(void);

/* In DEST. */
void receive(void *unused);
void answer(void *unused);
void send_to_first(void *unused);
void answer_fault(void *unused);

void prepare_sender(void);
void prepare_fault(void);
/* Threads that queue for the partner in every way there is. */
void prepare_crowd(void);
