/**
 * `bench memory`: bytes of memory a file, as the difference of the whole process before and after the files are there,
 * for mdtest's names in one directory and for a real tree repeated under many directories. Each runs in a process of
 * its own, so that nothing of the other is counted.
 */
import type { Bench } from "#bench/Report.ts"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const FILES_BY_DEFAULT = 10_000_000
const TREE_BY_DEFAULT = "/usr"

/** What a measuring process answers. */
export interface Measured {
  readonly files: number
  /** Bytes of resident memory more than before. */
  readonly residentBytes: number
  /** Bytes of slots in use. */
  readonly usedBytes: number
}

export const memory: Bench = async (options, say) => {
  const files = options.files ?? FILES_BY_DEFAULT
  const tree = options.tree ?? TREE_BY_DEFAULT
  const mdtest = await measure({ kind: "mdtest", files })
  say(`memory: ${mdtest.files} files with mdtest's names`)
  const scattered = await measure({ kind: "scattered", files })
  say(`memory: ${scattered.files} of them in scattered order`)
  const real = await measure({ kind: "tree", files, tree })
  say(`memory: ${real.files} files of ${tree}, again and again`)
  return {
    bench: "memory",
    figures: {
      bytesPerFileMdtest: mdtest.residentBytes / mdtest.files,
      bytesPerFileScattered: scattered.residentBytes / scattered.files,
      bytesPerFileTree: real.residentBytes / real.files
    },
    beside: {
      filesMdtest: mdtest.files,
      filesTree: real.files,
      slotBytesPerFileMdtest: mdtest.usedBytes / mdtest.files,
      slotBytesPerFileScattered: scattered.usedBytes / scattered.files,
      slotBytesPerFileTree: real.usedBytes / real.files
    },
    ratios: {}
  }
}

const measure = async (wanted: object): Promise<Measured> => {
  const program = fileURLToPath(new URL("./MemoryProbe.ts", import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", program, JSON.stringify(wanted)])
  return JSON.parse(stdout) as Measured
}
