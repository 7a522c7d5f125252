; A minimal ERC-20 token.
;
; Storage: balance of A at keccak(A . 0), allowance of S over O at keccak(S . keccak(O . 1)), total supply at 2.
; Memory: 0x00..0x40 is scratch for hashes, logs and return values.
; A call that matches no function, sends ether, or lacks balance or allowance reverts without data. Address arguments
; are used as the 32-byte words they come in.
;
; Comments show the stack, top first. `@name` pushes where a label is; `name:` is a JUMPDEST.

    CALLVALUE
    @fail JUMPI

    PUSH 0
    CALLDATALOAD
    PUSH 0xe0
    SHR                         ; selector
    DUP1 PUSH 0xa9059cbb EQ @transfer JUMPI
    DUP1 PUSH 0x70a08231 EQ @balance_of JUMPI
    DUP1 PUSH 0x23b872dd EQ @transfer_from JUMPI
    DUP1 PUSH 0x095ea7b3 EQ @approve JUMPI
    DUP1 PUSH 0xdd62ed3e EQ @allowance JUMPI
    DUP1 PUSH 0x18160ddd EQ @total_supply JUMPI
fail:
    PUSH 0 PUSH 0 REVERT

; transfer(to, amount)
transfer:
    POP
    @return_true                ; where `move` goes afterwards
    PUSH 0x24 CALLDATALOAD      ; amount
    PUSH 0x04 CALLDATALOAD      ; to
    CALLER                      ; from
    @move JUMP

; transferFrom(from, to, amount)
transfer_from:
    POP
    PUSH 0x44 CALLDATALOAD      ; amount
    CALLER
    PUSH 0x04 CALLDATALOAD
    @back_to_transfer_from
    @allowance_slot JUMP
back_to_transfer_from:          ; slot amount
    DUP1 SLOAD                  ; allowed slot amount
    DUP3 DUP2 LT @fail JUMPI    ; allowed < amount
    DUP3 SWAP1 SUB              ; allowed-amount slot amount
    SWAP1 SSTORE                ; amount
    @return_true SWAP1          ; amount return
    PUSH 0x24 CALLDATALOAD      ; to
    PUSH 0x04 CALLDATALOAD      ; from
    @move JUMP

; subroutine: moves tokens and emits Transfer(from, to, amount)
move:                           ; from to amount return
    DUP1 @back_to_move @balance_slot JUMP
back_to_move:                   ; slot from to amount return
    DUP1 SLOAD                  ; balance slot from to amount return
    DUP5 DUP2 LT @fail JUMPI    ; balance < amount
    DUP5 SWAP1 SUB              ; balance-amount slot from to amount return
    SWAP1 SSTORE                ; from to amount return
    DUP2 @credit @balance_slot JUMP
credit:                         ; slot from to amount return
    DUP1 SLOAD                  ; balance slot from to amount return
    DUP5 ADD                    ; balance+amount slot from to amount return
    SWAP1 SSTORE                ; from to amount return
    DUP3 PUSH 0 MSTORE          ; the log carries the amount
    PUSH 0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef
    PUSH 0x20 PUSH 0            ; 0 32 topic from to amount return
    LOG3                        ; amount return
    POP
    JUMP

; approve(spender, amount)
approve:
    POP
    PUSH 0x24 CALLDATALOAD      ; amount
    PUSH 0x04 CALLDATALOAD      ; spender amount
    CALLER                      ; owner spender amount
    @store_allowance @allowance_slot JUMP
store_allowance:                ; slot amount
    SSTORE
    PUSH 0x24 CALLDATALOAD PUSH 0 MSTORE
    PUSH 0x04 CALLDATALOAD
    CALLER
    PUSH 0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925
    PUSH 0x20 PUSH 0
    LOG3
    @return_true JUMP

; allowance(owner, spender)
allowance:
    POP
    PUSH 0x24 CALLDATALOAD
    PUSH 0x04 CALLDATALOAD
    @return_slot @allowance_slot JUMP

; balanceOf(account)
balance_of:
    POP
    PUSH 0x04 CALLDATALOAD
    @return_slot @balance_slot JUMP

; totalSupply()
total_supply:
    POP
    PUSH 2
return_slot:                    ; slot
    SLOAD
return_word:                    ; word
    PUSH 0 MSTORE
    PUSH 0x20 PUSH 0 RETURN

return_true:
    PUSH 1
    @return_word JUMP

; subroutine: where the balance of an account is stored
balance_slot:                   ; return account
    SWAP1 PUSH 0 MSTORE         ; return
    PUSH 0 PUSH 0x20 MSTORE
    PUSH 0x40 PUSH 0 KECCAK256  ; slot return
    SWAP1 JUMP

; subroutine: where an allowance is stored
allowance_slot:                 ; return owner spender
    SWAP1 PUSH 0 MSTORE         ; return spender
    PUSH 1 PUSH 0x20 MSTORE
    PUSH 0x40 PUSH 0 KECCAK256  ; hash return spender
    PUSH 0x20 MSTORE            ; return spender
    SWAP1 PUSH 0 MSTORE         ; return
    PUSH 0x40 PUSH 0 KECCAK256  ; slot return
    SWAP1 JUMP
