// Compares a table of printable characters with unicode.IsPrint, over all code points. On standard input: where they begin and where they
// end, in turn. A Go whose Unicode is older knows fewer characters: what it does not know at all may be printable.
package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
	"unicode"
)

func main() {
	var edges []int
	in := bufio.NewReader(os.Stdin)
	for {
		var edge int
		if _, err := fmt.Fscan(in, &edge); err != nil {
			break
		}
		edges = append(edges, edge)
	}
	wrong := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		ours := sort.SearchInts(edges, int(r)+1)%2 == 1
		newer := ours && unicode.Version < os.Args[1] && !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf, unicode.Co)
		if ours != unicode.IsPrint(r) && !newer {
			fmt.Printf("U+%X: %v\n", r, ours)
			wrong++
		}
	}
	if wrong > 0 || len(edges) < 1000 {
		os.Exit(1)
	}
	fmt.Printf("ok %s\n", unicode.Version)
}
