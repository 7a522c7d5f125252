# Takes the stack from the loader as Linux leaves it: argc at sp, argv above. Clears .bss, which
# shares a page with .data.
.globl _start
_start:
  .option push
  .option norelax
  la gp, __global_pointer$
  .option pop
  la a0, __bss_start
  la a2, __bss_size
  li a1, 0
  call memset
  lw a0, 0(sp)
  addi a1, sp, 4
  call main
  call _exit
