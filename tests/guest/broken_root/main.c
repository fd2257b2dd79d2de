/*
 * broken_root/main.c - a program whose end makes the root task's supervisor fault
 *
 * The folder roottask/ beside this file replaces the root task by one with a defect. A machine
 * whose supervisor is gone would hear of no exit and no fault any more: it must go off instead.
 */
#include <stdio.h>

int main(void)
{
    printf("the last words\n");
    return 0;
}
