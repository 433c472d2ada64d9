"""Keys of effects that have happened, and calls of tasks that wait to be sent."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "effects",
        sa.Column("key", sa.Text(), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("key", name="pk_effects"),
    )
    op.create_index("ix_effects_created_at", "effects", ["created_at"])
    op.create_table(
        "outbox",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSON(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text()),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("error", sa.Text()),
        _now("created_at"),
        sa.PrimaryKeyConstraint("number", name="pk_outbox"),
        sa.UniqueConstraint("id", name="uq_outbox_id"),
    )


def downgrade() -> None:
    """Drop both tables; calls that were not sent are lost."""
    op.drop_table("outbox")
    op.drop_table("effects")


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)
