/*
 * program.h - what lies between start.c and a C library: the first and the last step of a program
 */
#pragma once

/* The C library's part: constructors, main(), exit(). libl4.a has none; each C library has one. */
void l4_program_start(int argc, char **argv) __attribute__((noreturn));

/* The parent is told, or, in a bare program, the machine is switched off. */
void l4_program_end(int status) __attribute__((noreturn));
