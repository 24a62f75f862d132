"""Circles in a graph, given as node → nodes that it points to."""

import unittest


def circles(graph):
    """The strongly connected components of more than one node (Tarjan 1972), the smallest first."""
    found, stack, low, numbers = [], [], {}, {}
    for start in sorted(graph):
        work = [(start, None)]
        while work:
            node, rest = work.pop()
            if rest is None:
                if node in numbers:
                    continue
                numbers[node] = low[node] = len(numbers)
                stack.append(node)
                rest = iter(sorted(graph.get(node, ())))
            for other in rest:
                if other not in numbers:
                    work += [(node, rest), (other, None)]
                    break
                if other in stack:
                    low[node] = min(low[node], numbers[other])
            else:
                if low[node] == numbers[node]:
                    members = stack[stack.index(node) :]
                    del stack[-len(members) :]
                    if len(members) > 1:
                        found.append(sorted(members))
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
    return sorted(found, key=lambda members: (len(members), members))


def way(graph, start, goal):
    """The shortest way from one node to another, both included; empty where there is none."""
    ways, seen = [[start]], {start}
    for path in ways:
        for node in sorted(graph.get(path[-1], ())):
            if node == goal:
                return [*path, node]
            if node not in seen:
                seen.add(node)
                ways.append([*path, node])
    return []


class Tests(unittest.TestCase):
    def test_circles(self):
        graph = {"a": "b", "b": "cd", "c": "a", "d": "e", "e": "d", "f": "a", "g": "g"}
        self.assertEqual(circles(graph), [["d", "e"], ["a", "b", "c"]])
        self.assertEqual(circles({"a": "bcd", "b": "d", "c": "d"}), [])
        self.assertEqual(circles({"a": "b", "b": "acd", "c": "d", "d": "c", "e": "ad"}), [["a", "b"], ["c", "d"]])

    def test_ways(self):
        self.assertEqual(way({"a": "bc", "b": "d", "c": "b", "d": "a"}, "a", "a"), ["a", "b", "d", "a"])
        self.assertEqual(way({"a": "b"}, "b", "a"), [])
