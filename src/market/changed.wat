;; Copies the ticks of those entries of a subscription that have changed into a frame: the innermost loop of the gateway.
;; changed.wasm is this file, compiled by `npm run build:wasm`; heap.ts loads it.
(module
  (import "heap" "memory" (memory 1))

  ;; From entry $from up to $end: where the row's mark (mark.ts) differs from the one told, its encoded tick is copied to
  ;; $at and its mark noted as told. Stops before an entry whose tick is not encoded as it stands, and before one that may
  ;; not fit. The rows of all ticks in the frame are noted at $noted. Returns the position behind the last tick. At $result:
  ;; the entry where it stopped (i32), ticks in the frame (i32), ticks left out since newer ones replaced them, added up (f64).
  ;;
  ;; A row's slot holds the version that is encoded (f64), its length (u16) and its bytes: what a copy needs lies side by
  ;; side, since after each frame the system has used the caches for something else.
  (func (export "copy")
    (param $from i32) (param $end i32) (param $entries i32)
    (param $marks i32) (param $version i32)
    (param $slots i32) (param $slotBytes i32) (param $tickBytes i32)
    (param $at i32) (param $limit i32) (param $noted i32) (param $result i32)
    (result i32)
    (local $row i32) (local $now i32) (local $before i32) (local $entry i32)
    (local $slot i32) (local $length i32) (local $copied i32) (local $count i32) (local $conflated f64)
    (local.set $count (i32.load offset=4 (local.get $result)))
    (local.set $conflated (f64.load offset=8 (local.get $result)))
    (block $stop
      (loop $each
        (br_if $stop (i32.ge_u (local.get $from) (local.get $end)))
        (local.set $entry (i32.add (local.get $entries) (i32.shl (local.get $from) (i32.const 3))))
        (local.set $row (i32.load (local.get $entry)))
        (local.set $before (i32.load offset=4 (local.get $entry)))
        (local.set $now (i32.load (i32.add (local.get $marks) (i32.shl (local.get $row) (i32.const 2)))))
        (if (i32.ne (local.get $now) (local.get $before))
          (then
            (local.set $slot (i32.add (local.get $slots) (i32.mul (local.get $row) (local.get $slotBytes))))
            (br_if $stop
              (f64.ne
                (f64.load (i32.add (local.get $version) (i32.shl (local.get $row) (i32.const 3))))
                (f64.load (local.get $slot))))
            ;; The first tick always fits, or a narrow window would stop all.
            (br_if $stop
              (i32.and
                (i32.gt_u (i32.add (local.get $at) (local.get $tickBytes)) (local.get $limit))
                (i32.ne (local.get $count) (i32.const 0))))
            (local.set $length (i32.load16_u offset=8 (local.get $slot)))
            ;; 112 bytes (COPIED_AT_LEAST of encoder.ts), as long as a MessagePack tick of ten fields is, without asking how many are
            ;; needed: a branch that is guessed wrong costs as much as all of them. What is copied too much is written over by
            ;; the next tick, or not sent.
            (v128.store offset=0 align=1 (local.get $at) (v128.load offset=10 align=1 (local.get $slot)))
            (v128.store offset=16 align=1 (local.get $at) (v128.load offset=26 align=1 (local.get $slot)))
            (v128.store offset=32 align=1 (local.get $at) (v128.load offset=42 align=1 (local.get $slot)))
            (v128.store offset=48 align=1 (local.get $at) (v128.load offset=58 align=1 (local.get $slot)))
            (v128.store offset=64 align=1 (local.get $at) (v128.load offset=74 align=1 (local.get $slot)))
            (v128.store offset=80 align=1 (local.get $at) (v128.load offset=90 align=1 (local.get $slot)))
            (v128.store offset=96 align=1 (local.get $at) (v128.load offset=106 align=1 (local.get $slot)))
            (if (i32.gt_u (local.get $length) (i32.const 112))
              (then
                (local.set $copied (i32.const 112))
                (loop $copy
                  (v128.store align=1
                    (i32.add (local.get $at) (local.get $copied))
                    (v128.load offset=10 align=1 (i32.add (local.get $slot) (local.get $copied))))
                  (local.set $copied (i32.add (local.get $copied) (i32.const 16)))
                  (br_if $copy (i32.lt_u (local.get $copied) (local.get $length))))))
            (local.set $at (i32.add (local.get $at) (local.get $length)))
            (i32.store (i32.add (local.get $noted) (i32.shl (local.get $count) (i32.const 2))) (local.get $row))
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            ;; A first tick replaces none. The mark after the largest is 1.
            (if (local.get $before)
              (then
                (local.set $conflated
                  (f64.add (local.get $conflated)
                    (f64.convert_i32_u
                      (i32.sub
                        (i32.sub (i32.sub (local.get $now) (local.get $before)) (i32.const 1))
                        (i32.lt_u (local.get $now) (local.get $before))))))))
            (i32.store offset=4 (local.get $entry) (local.get $now))))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (br $each)))
    (i32.store (local.get $result) (local.get $from))
    (i32.store offset=4 (local.get $result) (local.get $count))
    (f64.store offset=8 (local.get $result) (local.get $conflated))
    (local.get $at)))
