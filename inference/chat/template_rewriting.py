"""Rewrites a parsed chat template so that what it does is charged to a budget."""

# ruff: noqa: D102, N802 - Jinja2 names visitors after classes, and that says what they visit

from __future__ import annotations

from jinja2 import nodes
from jinja2.visitor import NodeTransformer


class Charging(NodeTransformer):
    """Puts filters of the sandbox's around loops' bodies, comparisons, values and output.

    `_tick` pays for one turn, `_made` for a value with all that it holds, `_sliced` for the places
    of a slice, and `_concat` for the parts of a text before they are put together.
    """

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        node.body.insert(
            0, nodes.ExprStmt(_filtered(nodes.Const(None), "_tick"), lineno=node.lineno)
        )
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        return _filtered(self.generic_visit(node), "_tick")

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes), "_concat")

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        is_slice = isinstance(node.arg, nodes.Slice)
        return _filtered(node, "_sliced") if is_slice else node

    def visit_List(self, node: nodes.List) -> nodes.Node:
        return _filtered(self.generic_visit(node), "_made")

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        return _filtered(self.generic_visit(node), "_made")

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        self.generic_visit(node)
        return _filtered(node, "_made") if node.ctx == "load" else node

    def visit_Output(self, node: nodes.Output) -> nodes.Node:
        self.generic_visit(node)
        node.nodes = [_filtered(_as_expression(child), "_made") for child in node.nodes]
        return node


def _as_expression(node: nodes.Node) -> nodes.Node:
    return nodes.Const(node.data) if isinstance(node, nodes.TemplateData) else node


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno or 1)
