"""The first tables: flights and what belongs to them, jobs, daily statistics, and filters with their backtests."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    _references()
    _weather()
    _flights()
    _jobs()
    _rejected_rows()
    _daily_statistics()
    _backtests()


def downgrade() -> None:
    """Drop all tables, and what is in them."""
    for table in ("backtest_results", "backtest_filters", "daily_statistics", "rejected_rows", "jobs"):
        op.drop_table(table)
    for table in ("flights", "weather", "planes", "airports", "airlines"):
        op.drop_table(table)


def _references() -> None:
    op.create_table(
        "airlines",
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("carrier", name="pk_airlines"),
    )
    op.create_table(
        "airports",
        sa.Column("faa", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("lat", sa.Double(), nullable=False),
        sa.Column("lon", sa.Double(), nullable=False),
        sa.Column("alt", sa.Integer(), nullable=False),
        sa.Column("tz", sa.SmallInteger(), nullable=False),
        sa.Column("dst", sa.Text(), nullable=False),
        sa.Column("tzone", sa.Text()),
        sa.PrimaryKeyConstraint("faa", name="pk_airports"),
    )
    op.create_table(
        "planes",
        sa.Column("tailnum", sa.Text(), nullable=False),
        sa.Column("year", sa.SmallInteger()),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("manufacturer", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("engines", sa.SmallInteger(), nullable=False),
        sa.Column("seats", sa.SmallInteger(), nullable=False),
        sa.Column("speed", sa.SmallInteger()),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tailnum", name="pk_planes"),
    )


def _weather() -> None:
    op.create_table(
        "weather",
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("time_hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("temp", sa.Double()),
        sa.Column("dewp", sa.Double()),
        sa.Column("humid", sa.Double()),
        sa.Column("wind_dir", sa.SmallInteger()),
        sa.Column("wind_speed", sa.Double()),
        sa.Column("wind_gust", sa.Double()),
        sa.Column("precip", sa.Double(), nullable=False),
        sa.Column("pressure", sa.Double()),
        sa.Column("visib", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "time_hour", name="pk_weather"),
    )


def _flights() -> None:
    op.create_table(
        "flights",
        sa.Column("time_hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("flight", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("dest", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("tailnum", sa.Text()),
        sa.Column("sched_dep_time", sa.SmallInteger(), nullable=False),
        sa.Column("dep_time", sa.SmallInteger()),
        sa.Column("dep_delay", sa.SmallInteger()),
        sa.Column("sched_arr_time", sa.SmallInteger(), nullable=False),
        sa.Column("arr_time", sa.SmallInteger()),
        sa.Column("arr_delay", sa.SmallInteger()),
        sa.Column("air_time", sa.SmallInteger()),
        sa.Column("distance", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("time_hour", "carrier", "flight", "origin", name="pk_flights"),
    )
    op.create_index("ix_flights_day", "flights", ["day"])


def _jobs() -> None:
    states = "'pending', 'running', 'succeeded', 'failed', 'cancelled'"
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.String(32), server_default="pending", nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("result", postgresql.JSONB()),
        sa.Column("error", sa.Text()),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("total", sa.BigInteger()),
        _now("created_at"),
        _now("updated_at"),
        _check("jobs", "state", f"state IN ({states})"),
        _check("jobs", "position", "position >= 0 AND position <= coalesce(total, position)"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_state", "jobs", ["state"])


def _rejected_rows() -> None:
    op.create_table(
        "rejected_rows",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        _now("created_at"),
        _check("rejected_rows", "line", "line > 0"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_rejected_rows_job_id_jobs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "source", "line", name="pk_rejected_rows"),
    )


def _daily_statistics() -> None:
    table = "daily_statistics"
    delays = ("mean_delay", "median_delay", "p90_delay")
    op.create_table(
        table,
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("flights", sa.Integer(), nullable=False),
        sa.Column("measured", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Integer(), nullable=False),
        *[sa.Column(delay, sa.Double()) for delay in delays],
        _now("created_at"),
        _now("updated_at"),
        _check(table, "kind", "kind IN ('carrier', 'origin', 'route')"),
        _check(table, "counts", "measured >= 0 AND cancelled >= 0 AND measured + cancelled <= flights"),
        *[_check(table, delay, f"(measured = 0) = ({delay} IS NULL)") for delay in delays],
        sa.PrimaryKeyConstraint("day", "kind", "key", name="pk_daily_statistics"),
    )


def _backtests() -> None:
    op.create_table(
        "backtest_filters",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rule", postgresql.JSONB(), nullable=False),
        _now("created_at"),
        _now("updated_at"),
        sa.PrimaryKeyConstraint("id", name="pk_backtest_filters"),
        sa.UniqueConstraint("name", name="uq_backtest_filters_name"),
    )
    table, filters = "backtest_results", "backtest_filters"
    op.create_table(
        table,
        sa.Column("filter_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        *[sa.Column(count, sa.Integer(), nullable=False) for count in ("hits", "misses", "false_alarms")],
        sa.Column("precision", sa.Double()),
        sa.Column("recall", sa.Double()),
        _now("created_at"),
        _now("updated_at"),
        _check(table, "month", "extract(day FROM month) = 1"),
        _check(table, "counts", "hits >= 0 AND misses >= 0 AND false_alarms >= 0"),
        _check(table, "precision", "precision BETWEEN 0 AND 1"),
        _check(table, "recall", "recall BETWEEN 0 AND 1"),
        sa.ForeignKeyConstraint(
            ["filter_id"], [f"{filters}.id"], name=f"fk_{table}_filter_id_{filters}", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("filter_id", "month", name="pk_backtest_results"),
    )


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))  # op.f: not to be named by the convention again
