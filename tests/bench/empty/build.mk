# build.mk - an ordinary program, though no boot script lies here
libc := musl
