;; Copies the ticks of those entries of a subscription that have changed into a frame: the innermost loop of the gateway.
;; changed.wasm is this file, compiled by `npm run build:wasm`; heap.ts loads it.
(module
  (import "heap" "memory" (memory 1))

  ;; From entry $from up to $end: where `seq` of the row differs from what was told, its encoded tick is copied to $at
  ;; and noted as told. Stops before an entry whose tick is not encoded as it stands, and before one that may not fit.
  ;; The rows of all ticks in the frame are noted at $noted. Returns the position behind the last tick. At $result: the entry where it stopped (i32), ticks in the frame (i32),
  ;; ticks left out since newer ones replaced them, added up (f64).
  (func (export "copy")
    (param $from i32) (param $end i32) (param $rows i32) (param $told i32)
    (param $seq i32) (param $version i32)
    (param $slots i32) (param $slotSize i32) (param $lengths i32) (param $versions i32)
    (param $at i32) (param $limit i32) (param $noted i32) (param $result i32)
    (result i32)
    (local $row i32) (local $now f64) (local $before f64) (local $toldAt i32)
    (local $source i32) (local $length i32) (local $copied i32) (local $count i32) (local $conflated f64)
    (local.set $count (i32.load offset=4 (local.get $result)))
    (local.set $conflated (f64.load offset=8 (local.get $result)))
    (block $stop
      (loop $entry
        (br_if $stop (i32.ge_u (local.get $from) (local.get $end)))
        (local.set $row (i32.load (i32.add (local.get $rows) (i32.shl (local.get $from) (i32.const 2)))))
        (local.set $now (f64.load (i32.add (local.get $seq) (i32.shl (local.get $row) (i32.const 3)))))
        (local.set $toldAt (i32.add (local.get $told) (i32.shl (local.get $from) (i32.const 3))))
        (local.set $before (f64.load (local.get $toldAt)))
        (if (f64.ne (local.get $now) (local.get $before))
          (then
            (br_if $stop
              (f64.ne
                (f64.load (i32.add (local.get $version) (i32.shl (local.get $row) (i32.const 3))))
                (f64.load (i32.add (local.get $versions) (i32.shl (local.get $row) (i32.const 3))))))
            ;; The first tick always fits, or a narrow window would stop all.
            (br_if $stop
              (i32.and
                (i32.gt_u (i32.add (local.get $at) (local.get $slotSize)) (local.get $limit))
                (i32.ne (local.get $count) (i32.const 0))))
            (local.set $source (i32.add (local.get $slots) (i32.mul (local.get $row) (local.get $slotSize))))
            (local.set $length (i32.load16_u (i32.add (local.get $lengths) (i32.shl (local.get $row) (i32.const 1)))))
            ;; 16 bytes at a time: what is copied too much is written over by the next tick, or not sent.
            (local.set $copied (i32.const 0))
            (loop $copy
              (v128.store align=1
                (i32.add (local.get $at) (local.get $copied))
                (v128.load align=1 (i32.add (local.get $source) (local.get $copied))))
              (local.set $copied (i32.add (local.get $copied) (i32.const 16)))
              (br_if $copy (i32.lt_u (local.get $copied) (local.get $length))))
            (local.set $at (i32.add (local.get $at) (local.get $length)))
            (i32.store (i32.add (local.get $noted) (i32.shl (local.get $count) (i32.const 2))) (local.get $row))
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            ;; A first tick replaces none.
            (if (f64.gt (local.get $before) (f64.const 0))
              (then
                (local.set $conflated
                  (f64.add (local.get $conflated)
                    (f64.sub (f64.sub (local.get $now) (local.get $before)) (f64.const 1))))))
            (f64.store (local.get $toldAt) (local.get $now))))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (br $entry)))
    (i32.store (local.get $result) (local.get $from))
    (i32.store offset=4 (local.get $result) (local.get $count))
    (f64.store offset=8 (local.get $result) (local.get $conflated))
    (local.get $at)))
