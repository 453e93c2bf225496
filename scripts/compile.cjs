// Writes the code of a bundle as V8 has compiled it beside it, for bin/launch.js: all that has run until the end of this process.
const { renameSync, writeFileSync } = require('node:fs')
const { compile } = require('../bin/launch.js')

const [file, ...args] = process.argv.slice(2)
process.argv.splice(1, process.argv.length, file, ...args)
const { script, run } = compile(file)
process.on('exit', () => {
  const draft = `${file}.cache.${process.pid}`
  writeFileSync(draft, script.createCachedData())
  renameSync(draft, `${file}.cache`)
})
run()
