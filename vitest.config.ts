import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    exclude: ["node_modules/**"],
    globalSetup: ["runners/testing/SharedPostgres.ts"],
    silent: "passed-only",
    testTimeout: 30_000,
    hookTimeout: 30_000
  }
})
