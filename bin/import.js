// Stands in bundles for base/plugins/import-module.ts. This file is none, so Node lets it import.
exports.importModule = (address) => import(address)
