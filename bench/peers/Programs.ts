/** Where the peers' programs lie: in the folder `$CADASTRE_PEERS`, in the `PATH`, or where Debian keeps Postgres's. */
import * as Fs from "node:fs"
import * as Path from "node:path"

const DEBIAN_POSTGRES = "/usr/lib/postgresql"

/** The program's path; undefined where there is none that may be run. */
export const find = (name: string, environment: NodeJS.ProcessEnv): string | undefined =>
  folders(environment).map((folder) => Path.join(folder, name)).find(isProgram)

const folders = (environment: NodeJS.ProcessEnv): ReadonlyArray<string> =>
  [
    environment["CADASTRE_PEERS"] ?? "",
    ...(environment["PATH"] ?? "").split(":"),
    ...versionsOf(DEBIAN_POSTGRES)
  ].filter((folder) => folder !== "")

/** The newest first. */
const versionsOf = (folder: string): ReadonlyArray<string> =>
  Fs.existsSync(folder)
    ? Fs.readdirSync(folder).sort((a, b) => Number(b) - Number(a)).map((version) => Path.join(folder, version, "bin"))
    : []

export const isProgram = (path: string): boolean => {
  try {
    Fs.accessSync(path, Fs.constants.X_OK)
    return Fs.statSync(path).isFile()
  } catch {
    // Not there, or not for us.
    return false
  }
}
