; A contract that does little but read and write storage.
;
; Call data: two words, `first` and `count`. For every slot `i` in first..first+count holding `v`:
;   v mod 4 = 3: the slot is cleared (the trie loses a leaf, the caller gains a refund);
;   otherwise:   the slot becomes 5 v + i + 1 (an empty slot is filled).
; A running hash over all `v` ends up in the last slot of all, 2^256 - 1.
;
; Comments show the stack, top first. `@name` pushes where a label is; `name:` is a JUMPDEST.

    PUSH 0 CALLDATALOAD         ; i
    PUSH 0x20 CALLDATALOAD
    DUP2 ADD                    ; end i
    SWAP1                       ; i end
loop:
    DUP2 DUP2 LT ISZERO
    @done JUMPI                 ; i end
    DUP1 SLOAD                  ; v i end
    DUP1 PUSH 0x20 MSTORE
    PUSH 0x40 PUSH 0 KECCAK256  ; hash v i end
    PUSH 0 MSTORE               ; v i end
    DUP1 PUSH 3 AND PUSH 3 EQ
    @clear JUMPI
    PUSH 5 MUL
    DUP2 ADD
    PUSH 1 ADD                  ; 5v+i+1 i end
    @store JUMP
clear:
    POP PUSH 0                  ; 0 i end
store:                          ; value i end
    DUP2 SSTORE                 ; i end
    PUSH 1 ADD
    @loop JUMP
done:
    PUSH 0 MLOAD
    PUSH 0 NOT SSTORE
    STOP
