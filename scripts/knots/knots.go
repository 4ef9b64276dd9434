package main

import (
	"cmp"
	"maps"
	"slices"
)

// knots are the sets of more than one file that all need each other (the strongly connected components), the largest first.
func (p *pkg) knots() [][]string {
	// Tarjan's algorithm: number tells when a file was first seen, low the earliest one that it leads back to.
	var (
		found  [][]string
		stack  []string
		number = map[string]int{}
		low    = map[string]int{}
		visit  func(file string)
	)
	visit = func(file string) {
		number[file] = len(number) + 1
		low[file] = number[file]
		stack = append(stack, file)
		for _, next := range slices.Sorted(maps.Keys(p.uses[file])) {
			if number[next] == 0 {
				visit(next)
				low[file] = min(low[file], low[next])
			} else if slices.Contains(stack, next) {
				low[file] = min(low[file], number[next])
			}
		}
		if low[file] != number[file] {
			return
		}
		at := slices.Index(stack, file)
		if knot := slices.Clone(stack[at:]); len(knot) > 1 {
			slices.Sort(knot)
			found = append(found, knot)
		}
		stack = stack[:at]
	}
	for _, file := range p.files {
		if number[file] == 0 {
			visit(file)
		}
	}
	slices.SortFunc(found, func(a, b []string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), slices.Compare(a, b))
	})
	return found
}
