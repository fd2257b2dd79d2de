/*
 * supervise/victim.h - what victim.elf does for its clients
 *
 * At its gate (label PROTO_VICTIM): MR0 = op.
 *   OPEN  MR1 a word     answer: MR0 its number, item: a gate that outlives this life
 *   DIE   MR1 how        no answer
 *   LIFE  -              MR0 messages answered in this life, MR1 gates found at its begin
 *   KEEP  -              makes gates for itself, at most KEEP_STEP; MR0 how many
 *   DROP  -              deletes them
 * At an opened gate: any message, answer: MR0 the word.
 */
#pragma once

enum { PROTO_VICTIM = 0x6000 };
enum { KEEP_STEP = 50 };
enum victim_op { VICTIM_OPEN, VICTIM_DIE, VICTIM_LIFE, VICTIM_KEEP, VICTIM_DROP };
enum victim_end { END_FAULT, END_TRAP, END_EXIT, END_HANG, END_KINDS };
