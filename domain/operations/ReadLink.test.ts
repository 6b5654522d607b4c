import { alice } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, file, symlink } from "#domain/testing/Steps.ts"
import { ask } from "#domain/testing/World.ts"
import { describe, it } from "vitest"

const readLink = (path: string) => ask(alice, "readLink", ({ at }) => ({ inode: at(path) }))

describe("readlink", () => {
  it("tells the target, byte for byte", () => {
    given(symlink("/l", "../a\xff\x01 b"), symlink("/long", "t".repeat(4095)))
      .when(readLink("/l")).answers({ target: "../a\xff\x01 b" })
      .when(readLink("/long")).answers({ target: "t".repeat(4095) })
  })

  it("refuses what is no symbolic link, and what is not there", () => {
    given(file("/x"), directory("/d"))
      .when(readLink("/x")).refuses("EINVAL")
      .when(readLink("/d")).refuses("EINVAL")
      .when(ask(alice, "readLink", { inode: 99 })).refuses("ESTALE")
  })
})
