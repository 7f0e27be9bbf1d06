/* main.c: prints a line and ends, whatever the arguments: what measuring itself costs. */
#include <stdio.h>

int main(void) {
    return puts("nothing was done") < 0 || fflush(stdout) != 0;
}
