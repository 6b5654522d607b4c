import * as RP from "#client/RunnerPool.ts"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { readFileSync } from "node:fs"
await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
  const pool = yield* RP.make(Redacted.make(readFileSync("/tmp/cad1/secret", "utf8").trim()))
  const c = yield* pool.get({ host: "127.0.0.1", port: 7070 })
  console.log(yield* Effect.either(c.Hello()))
})))
