package rotation

// executor does the steps that plans name: it asks the clouds, and records what they answer. Each step that fails leaves its
// account to be planned again.
type executor struct{ *planner }
