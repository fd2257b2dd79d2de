# build.mk - the same on the small C library
sources := ../empty/main.c
libc := small
