/** `cadastre df`: how much the zones hold. */
import { Exit, type Run } from "#cli/Command.ts"
import { withClient } from "#cli/Connect.ts"
import { bytes, plural, say, sayJson } from "#cli/Output.ts"
import { Client } from "#client/Client.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Effect from "effect/Effect"

const ZONES_AT_ONCE = 32

export const run: Run = (_args, options) =>
  withClient(
    options,
    Effect.gen(function*() {
      const { call, info } = yield* Client
      const numbers = Array.from({ length: info.zones }, (_, zone) => zone)
      const zones = yield* Effect.forEach(
        numbers,
        (zone) =>
          Effect.map(call("statFileSystem", { inode: InodeNumber.rootOf(zone) }), (stat) => ({ zone, ...stat })),
        { concurrency: ZONES_AT_ONCE }
      )
      const total = { inodes: 0, dataBytes: 0 }
      for (const { dataBytes, inodes } of zones) {
        total.inodes += inodes
        total.dataBytes += dataBytes
      }
      if (options["json"] === true) {
        if (options["zones"] === true) { for (const zone of zones) sayJson(zone) }
        sayJson({ zones: info.zones, ...total })
        return Exit.ok
      }
      if (options["zones"] === true) {
        for (const { dataBytes, inodes, zone } of zones) {
          say(
            `zone ${String(zone).padStart(4)}  ${plural(inodes, "inode").padStart(18)}  ${
              bytes(dataBytes).padStart(12)
            }`
          )
        }
      }
      say(`${plural(info.zones, "zone")}: ${plural(total.inodes, "inode")}, ${bytes(total.dataBytes)} of data`)
      return Exit.ok
    })
  )
