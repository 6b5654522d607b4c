import * as Chain from "#persistence/Chain.ts"
import { contract, expectHead, expectRows, FreshJournal, rowAfter } from "#persistence/Journal.contract.ts"
import { Journal } from "#persistence/Journal.ts"
import * as MemoryJournal from "#persistence/MemoryJournal.ts"
import { realTime } from "#persistence/Suite.testing.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { expect } from "vitest"

contract(
  realTime("the journal in memory", Layer.succeed(FreshJournal, Effect.sync(() => MemoryJournal.make().service)))
)

it.effect("an append that is refused by a fault writes nothing, and the next one goes through", () =>
  Effect.gen(function*() {
    const { faults, rows, service } = MemoryJournal.make()
    const { epoch } = yield* service.claim(1, "a")
    const row = rowAfter(Chain.START, { zone: 1, epoch })
    faults.push("refuse")
    expect(yield* Effect.flip(service.append(row))).toMatchObject({ _tag: "JournalUnavailable", uncertain: false })
    expect(rows(1)).toEqual([])
    yield* service.append(row)
    expectRows(rows(1), [row])
  }))

it.effect("an append whose reply is lost by a fault is in the head that the next claim gives", () =>
  Effect.gen(function*() {
    const { faults, service } = MemoryJournal.make()
    const { epoch } = yield* service.claim(1, "a")
    const row = rowAfter(Chain.START, { zone: 1, epoch })
    faults.push("lose-reply")
    expect(yield* Effect.flip(service.append(row))).toMatchObject({ _tag: "JournalUnavailable", uncertain: true })
    expectHead((yield* service.claim(1, "b")).head, Chain.headOf(row))
  }))

it.effect("a fault that loses replies does not let a fenced append in", () =>
  Effect.gen(function*() {
    const { faults, rows, service } = MemoryJournal.make()
    const { epoch } = yield* service.claim(1, "a")
    yield* service.claim(1, "b")
    faults.push("lose-reply")
    const error = yield* Effect.flip(service.append(rowAfter(Chain.START, { zone: 1, epoch })))
    expect(error._tag).toBe("Fenced")
    expect(rows(1)).toEqual([])
  }))

it.effect("each layer is a journal of its own, empty at first", () =>
  Effect.gen(function*() {
    const claim = Effect.flatMap(Journal, (journal) => journal.claim(1, "a"))
    yield* Effect.provide(claim, MemoryJournal.layer)
    expect((yield* Effect.provide(claim, MemoryJournal.layer)).epoch).toBe(1)
  }))
